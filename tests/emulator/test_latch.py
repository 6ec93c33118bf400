from concurrent.futures import ThreadPoolExecutor

from penstock.emulator.latch import Latch


def test_all_who_wait_go_on_when_it_is_set():
    latch = Latch()
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(latch.wait) for _ in range(4)]
        latch.set()
        assert [each.result(10) for each in waiting] == [True] * 4


def test_it_stays_set_however_often_it_is():
    latch = Latch()
    latch.set()
    latch.set()
    assert latch.is_set()
    assert latch.wait()
    assert latch.wait(0)


def test_a_wait_ends_after_its_time():
    latch = Latch()
    assert not latch.wait(0.01)
    assert not latch.wait(-1)
    assert not latch.is_set()
