"""What a recipe asks for in every iteration and Caffe's solver does not have."""

from contextlib import ExitStack, contextmanager

from tools.training import clipping, loss_weights


@contextmanager
def done(settings, solver, subject):
    """Clip gradients and lower loss weights as `settings` (Settings) say while the context lasts.

    Parameters
    ----------
    settings : Settings
    solver : caffe solver
        Whose gradients are the whole batch's when this is called back: enter parallel.averaged first.
    subject : Subject
    """
    with ExitStack() as stack:
        if settings.clip:
            stack.enter_context(clipping.clipped(solver, settings.clip, settings.clip_by))
        if settings.alpha:
            stack.enter_context(loss_weights.lowered(solver, settings.alpha, subject.alpha_weights))
        yield
