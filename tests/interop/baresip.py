"""baresip as a peer: a softphone with a configuration folder of its own, steered over its control connection."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.interop.process import Finished, Program, free_port, in_namespace, wait_until

CONFIG = """\
poll_method epoll
sip_listen {ip}:{port}
call_local_timeout 120
call_max_calls 8
audio_path /nonexistent
audio_player {player}
audio_source {source}
audio_alert {player}
ausrc_srate 48000
ausrc_channels 2
audio_level no
rtp_ports {rtp_first}-{rtp_last}
rtp_stats yes
rtcp_mux no
jitter_buffer_delay 1-4
net_interface {interface}
module_path /usr/lib/baresip/modules
{modules}
module_tmp uuid.so
module_tmp account.so
module_app contact.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen {control_ip}:{control_port}
opus_bitrate 28000
menu_bell no
"""

MODULES = {"opus": "opus.so", "pcma": "g711.so", "pcmu": "g711.so", "g722": "g722.so"}


@dataclass(frozen=True, slots=True)
class CallResult:
    """What baresip says of the media of a call, from its "RTP/RTCP" lines; -1 where it said nothing."""

    rtp_sent: int
    rtp_received: int
    rtp_lost: int


class Baresip:
    """A softphone: registers if `registrar` is given, answers by itself if `answer` is, calls with `dial`.

    It has an account for `user` and one for each of `aliases`, all with the same password.
    """

    def __init__(
        self,
        log_dir: Path,
        user: str,
        *,
        ip: str = "127.0.0.1",
        port: int = 0,
        registrar: str = "",
        password: str = "",
        codecs: tuple[str, ...] = ("pcma", "pcmu"),
        answer: bool = True,
        display: str = "",
        interface: str = "",
        namespace: str = "",
        transport: str = "udp",
        source: str = "ausine,440",
        player: str = "",
        aliases: Sequence[str] = (),
        encryption: str = "",
    ) -> None:
        """`encryption`: baresip's name for that of media, such as "srtp-mand" (RFC 4568)."""
        self.user, self.ip, self.namespace, self.transport = user, ip, namespace, transport
        self.port = port or in_namespace(namespace, lambda: free_port(ip))
        control_port = in_namespace(namespace, lambda: free_port(ip, socket.SOCK_STREAM))
        rtp_first = in_namespace(namespace, lambda: free_port(ip))
        folder = log_dir / f"baresip-{user}"
        folder.mkdir(parents=True, exist_ok=True)
        modules = sorted({MODULES[codec.split("/")[0]] for codec in codecs}, key=lambda name: name != "opus.so")
        drivers = ["ausine.so", "aufile.so"]
        if encryption:
            drivers.append("srtp.so")
        (folder / "config").write_text(
            CONFIG.format(
                ip=ip,
                port=self.port,
                control_ip=ip,
                control_port=control_port,
                rtp_first=rtp_first,
                rtp_last=rtp_first + 100,
                interface=interface or ip,
                source=source,
                player=player or f"aufile,{folder / 'heard.wav'}",
                modules="\n".join(f"module {module}" for module in [*modules, *drivers]),
            )
        )
        parameters = [f"audio_codecs={','.join(codecs)}", f"answermode={'auto' if answer else 'manual'}", "ptime=20"]
        parameters += [f"auth_user={user}", f"auth_pass={password}"] if password else []
        parameters += [f"mediaenc={encryption}"] if encryption else []
        parameters += ["regint=600"] if registrar else ["regint=0"]
        domain = registrar or f"{ip}:{self.port}"
        name = f'"{display}" ' if display else ""
        lines = [
            f"{name}<sip:{each}@{domain};transport={transport}>;{';'.join(parameters)}" for each in (user, *aliases)
        ]
        (folder / "accounts").write_text("\n".join(lines) + "\n")
        (folder / "contacts").write_text("")
        self.program = Program(["stdbuf", "-oL", "baresip", "-f", folder, "-v"], folder, "baresip", namespace=namespace)
        self._control: socket.socket | None = None
        try:
            self.program.wait_listening(ip, control_port, "tcp")
            self._control = in_namespace(namespace, lambda: socket.create_connection((ip, control_port), timeout=5.0))
            if registrar:
                self.program.wait_output("} 200 OK (", count=1 + len(aliases))
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Baresip:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def address(self) -> str:
        """host:port that it listens on."""
        return f"{self.ip}:{self.port}"

    def command(self, name: str, parameters: str = "") -> None:
        """Send one command of baresip's own language ("dial", "hangup", "hold", "resume", "sndcode") as a netstring."""
        assert self._control is not None
        text = json.dumps({"command": name, "params": parameters, "token": name}).encode()
        self._control.sendall(b"%d:%b," % (len(text), text))

    def dial(self, uri: str, *, established_within_s: float = 15.0) -> None:
        """Call `uri` and wait until the call is up."""
        self.command("dial", uri)
        self.program.wait_output("Call established", established_within_s)

    def hang_up(self) -> None:
        """End the current call and wait until it is gone."""
        self.command("hangup")
        self.wait_ended()

    def wait_ended(self, timeout_s: float = 20.0) -> None:
        """Wait until a call has ended, whoever ended it."""
        wait_until(lambda: self.results() != [], timeout_s, self.program.describe)

    def results(self) -> list[CallResult]:
        """The media counts of every call that has ended so far."""
        pattern = r"packets:\s+(\d+)\s+(\d+)(?s:.{0,300}?)(?:lost|errors?):\s+(-?\d+)\s+(-?\d+)"
        found = re.findall(pattern, self.program.output())
        return [CallResult(int(sent), int(received), int(lost)) for sent, received, _, lost in found]

    def stop(self) -> Finished:
        """Leave: baresip ends its calls and unregisters."""
        if self._control is not None:
            self._control.close()
        return self.program.stop(grace_s=1.0)
