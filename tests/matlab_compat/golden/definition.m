% The definition of imresize, one output pixel at a time, as an independent program: plain Octave, no package.
% Called by make_golden.py:  octave-cli definition.m IN.mat OUT.mat
% IN holds `images` (struct of arrays) and `cases` (struct array: image, rows, columns, scale, method, antialiasing,
% edge, class); OUT gets `results`, one array per case.
1;

function f = weight (method, x)
  a = abs (x);
  switch method
    case {"nearest", "box"}
      f = (x >= -0.5 && x < 0.5);
    case {"bilinear", "triangle"}
      f = max (1 - a, 0);
    case {"bicubic", "cubic"}
      if (a <= 1)
        f = 1.5 * a^3 - 2.5 * a^2 + 1;
      elseif (a <= 2)
        f = -0.5 * a^3 + 2.5 * a^2 - 4 * a + 2;
      else
        f = 0;
      end
    case {"lanczos2", "lanczos3"}
      n = str2double (method(end));
      if (a >= n)
        f = 0;
      elseif (a == 0)
        f = 1;
      else
        f = sin (pi * x) * sin (pi * x / n) / (pi^2 * x^2 / n);
      end
  end
end

function w = support (method)
  switch method
    case {"nearest", "box"}
      w = 1;
    case {"bilinear", "triangle"}
      w = 2;
    case {"bicubic", "cubic", "lanczos2"}
      w = 4;
    case "lanczos3"
      w = 6;
  end
end

function k = place (k, n, edge)
  % index k, from 1, brought back into 1..n
  if (strcmp (edge, "replicate"))
    k = min (max (k, 1), n);
    return;
  end
  while (k < 1 || k > n)
    if (k < 1)
      k = 1 - k;
    else
      k = 2 * n + 1 - k;
    end
  end
end

function out = resize_rows (in, len, scale, method, antialiasing, edge)
  n = rows (in);
  s = 1;
  if (antialiasing && scale < 1)
    s = scale;
  end
  reach = support (method) / s / 2;
  out = zeros (len, columns (in));
  for x = 1:len
    u = x / scale + 0.5 * (1 - 1 / scale);
    taps = floor (u - reach) : ceil (u + reach) + 1;
    w = zeros (size (taps));
    for k = 1:numel (taps)
      w(k) = s * weight (method, s * (u - taps(k)));
    end
    w = w / sum (w);
    for k = 1:numel (taps)
      out(x, :) += w(k) * double (in(place (taps(k), n, edge), :));
    end
  end
  out = feval (class (in), out);
end

function out = resize (in, c)
  was_logical = strcmp (c.image, "logical");  % the file format brings it as uint8 0 and 1
  if (was_logical)
    in = uint8 (in) * 255;
  end
  len = double ([c.rows, c.columns]);  % whole numbers arrive as int64, in which x / scale would round
  axes = [1, 2];
  if (c.scale(2) < c.scale(1))
    axes = [2, 1];
  end
  for axis = axes
    if (axis == 2)
      in = in.';
    end
    in = resize_rows (in, len(axis), c.scale(axis), c.method, c.antialiasing, c.edge);
    if (axis == 2)
      in = in.';
    end
  end
  out = in;
  if (was_logical)
    out = in > 128;
  end
end

args = argv ();
load (args{1});
results = cell (1, numel (cases));
for i = 1:numel (cases)
  c = cases{i};
  results{i} = resize (images.(c.image), c);
end
octave_version = version ();
save ("-v7", args{2}, "results", "octave_version");
