% What Octave and its image package make of the same inputs; called by test_octave.py:
%   octave-cli compare.m IN.mat OUT.mat
pkg load image
args = argv ();
load (args{1});

out.ycbcr = rgb2ycbcr (color);
out.back = ycbcr2rgb (out.ycbcr);
out.ycbcr_double = rgb2ycbcr (double (color) / 255);
out.back_double = ycbcr2rgb (out.ycbcr_double);
out.turned90 = imrotate (gray, 90);
out.turned180 = imrotate (gray, 180);
out.turned270 = imrotate (gray, -90);
out.flipped1 = flip (gray, 1);
out.flipped2 = flip (gray, 2);
out.flipped = flip (gray);
out.double_uint8 = im2double (gray);
out.double_uint16 = im2double (deep);
out.double_int16 = im2double (short);
out.single_uint8 = im2single (gray);
out.uint8_double = im2uint8 (wide);
out.uint8_uint8 = im2uint8 (gray);
out.uint8_uint16 = im2uint8 (deep);
out.uint8_int16 = im2uint8 (short);
out.uint16_double = im2uint16 (wide);
out.uint16_uint16 = im2uint16 (deep);
out.uint16_uint8 = im2uint16 (gray);
out.uint16_int16 = im2uint16 (short);

% ssim_index-like filtering: fspecial's window, filter2 over the valid region
window = fspecial ("gaussian", 11, 1.5);
x = double (gray);
y = double (other);
mean_x = filter2 (window, x, "valid");
mean_y = filter2 (window, y, "valid");
var_x = filter2 (window, x .* x, "valid") - mean_x .^ 2;
var_y = filter2 (window, y .* y, "valid") - mean_y .^ 2;
cov_xy = filter2 (window, x .* y, "valid") - mean_x .* mean_y;
c1 = (0.01 * 255) ^ 2;
c2 = (0.03 * 255) ^ 2;
map = ((2 * mean_x .* mean_y + c1) .* (2 * cov_xy + c2)) ./ ((mean_x .^ 2 + mean_y .^ 2 + c1) .* (var_x + var_y + c2));
out.ssim = mean (map(:));

% the package's imresize: in double like MATLAB's newer one
scales = [0.25, 1/3, 0.5, 1.7, 3, 0.3, 0.9];
methods = {"bicubic", "bilinear"};  % it has no lanczos
for i = 1:numel (methods)
  for j = 1:numel (scales)
    out.(sprintf ("%s_%d", methods{i}, j)) = imresize (wide, scales(j), methods{i});
  end
end
out.bicubic_uint8 = imresize (gray, 1 / 3);
out.bicubic_logical = imresize (gray > 127, 2);
out.nearest = imresize (wide, 0.3, "nearest");

% its tests quote MATLAB's results, to within one level
out.source = which ("imresize");

save ("-v7", args{2}, "-struct", "out");
