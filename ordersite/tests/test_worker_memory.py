"""What a worker's processes share, they go on sharing."""

import gc

from celery.signals import worker_before_create_process


def test_before_a_pool_process_is_made_all_that_is_loaded_is_kept_from_its_garbage_collector() -> None:
    loaded = len(gc.get_objects())
    try:
        worker_before_create_process.send(sender=None)
        assert gc.get_freeze_count() > loaded / 2
        assert len(gc.get_objects()) < loaded / 2
    finally:
        gc.unfreeze()
