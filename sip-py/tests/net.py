"""Engines on a wire without delay, on a virtual clock."""

from __future__ import annotations

from typing import Callable, Dict, List, Optional, Tuple

import sansip
from sansip import Addr, Agreed, Engine, Event, Media, MediaQuery, Message, Path, Transmit


class Net:
    def __init__(self) -> None:
        self.now = 1_000
        self.names: Dict[Addr, str] = {}
        self.engines: Dict[str, Engine] = {}
        self.trace: List[Tuple[int, str, str, Message]] = []
        self.events: Dict[str, List[Event]] = {}
        self.media: Dict[str, Media] = {}
        self.agreed: Dict[str, List[Agreed]] = {}
        self.asked: List[Tuple[str, MediaQuery]] = []
        self.drop: Callable[[Message], bool] = lambda m: False

    def add(self, name: str, **config: object) -> Engine:
        n = len(self.engines) + 1
        addr = Addr(f"10.0.0.{n}", 5060)
        config.setdefault("ask_media", False)
        engine = Engine(sansip.Config(seed=bytes([n]) * 32, paid=False, **config))  # type: ignore
        engine.set_local(self.now, 1, addr)
        self.names[addr], self.engines[name], self.events[name] = name, engine, []
        self.agreed[name] = []
        return engine

    def phone(
        self, name: str, media: Optional[Media] = None, **config: object
    ) -> Tuple[Engine, sansip.LineHandle]:
        """A phone, which is asked for its media if it has some."""
        config.update(proxy=False, registrar=False, ask_media=media is not None)
        engine = self.add(name, **config)
        if media is not None:
            self.media[name] = media
        aor = f"sip:{name}@10.0.0.{len(self.engines)}"
        return engine, engine.add_line(self.now, sansip.Line(aor, user=7))

    def settle(self) -> None:
        """Polls everybody until nothing comes and nothing is on the wire."""
        wire: List[Tuple[str, Transmit]] = []
        while True:
            for name, engine in self.engines.items():
                for output in engine.outputs():
                    if isinstance(output, Transmit):
                        wire.append((name, output))
                    elif isinstance(output, MediaQuery):
                        self.asked.append((name, output))
                        engine.answer_media(self.now, output.id, self.media[name])
                    elif isinstance(output, Agreed):
                        self.agreed[name].append(output)
                    else:
                        assert isinstance(output, Event), output
                        self.events[name].append(output)
            if not wire:
                return
            name, t = wire.pop(0)
            m, to = Message.parse(t.data), self.names[t.path.remote]
            assert not m.defects, m.defects
            self.trace.append((self.now, name, to, m))
            if not self.drop(m):
                source = next(a for a, n in self.names.items() if n == name)
                self.engines[to].receive(self.now, Path(source), t.data)

    def run(self, ms: int) -> None:
        """Lets time pass."""
        end = self.now + ms
        while True:
            self.settle()
            due = [t for e in self.engines.values() if (t := e.next_timeout()) is not None]
            if not due or min(due) > end:
                break
            self.now = max(self.now, min(due))
            for engine in self.engines.values():
                engine.handle_timeout(self.now)
        self.now = end

    def ladder(self) -> List[str]:
        return [f"{at - 1_000} {a}>{b} {label(m)}" for at, a, b, m in self.trace]


def label(m: Message) -> str:
    return m.method or f"{m.status} {m.headers['CSeq'].split()[1]}"
