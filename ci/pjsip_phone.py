#!/usr/bin/env python3
"""pjsip_phone.py: PJSIP (pjsua2) as a phone without a sound card, one command a line on standard
input, one JSON event a line on standard output."""

import json
import os
import select
import sys

import pjsua2 as pj

DIRECTIONS = {0: "none", 1: "sendonly", 2: "recvonly", 3: "sendrecv"}


def say(event, **fields):
    sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
    sys.stdout.flush()


class Call(pj.Call):
    def __init__(self, phone, call_id=pj.PJSUA_INVALID_ID):
        super().__init__(phone.account, call_id)
        self.phone = phone

    def onCallState(self, prm):
        info = self.getInfo()
        say("state", call=info.id, state=info.stateText, status=info.lastStatusCode)
        if info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self.phone.ended.append(self)
            if self in self.phone.calls:
                self.phone.calls.remove(self)

    def onCallMediaState(self, prm):
        for media in self.getInfo().media:
            say("media", call=self.getInfo().id, direction=DIRECTIONS.get(media.dir, "?"),
                held={2: "local", 3: "remote"}.get(media.status, "no"))

    def onCallTransferRequest(self, prm):
        say("refer", to=prm.dstUri)
        prm.newCall = Call(self.phone)
        self.phone.calls.append(prm.newCall)

    def onCallTransferStatus(self, prm):
        say("transfer", status=prm.statusCode, final=bool(prm.finalNotify))

    def onCallReplaceRequest(self, prm):
        say("replace")

    def onCallReplaced(self, prm):
        say("replaced", by=prm.newCallId)
        self.phone.calls.append(Call(self.phone, prm.newCallId))


class Account(pj.Account):
    def __init__(self, phone):
        super().__init__()
        self.phone = phone

    def onRegState(self, prm):
        say("register", status=prm.code)

    def onIncomingCall(self, prm):
        call = Call(self.phone, prm.callId)
        self.phone.calls.append(call)
        ringing = pj.CallOpParam()
        ringing.statusCode = 180
        call.answer(ringing)
        say("incoming", call=prm.callId)


class Phone:
    def __init__(self, options):
        self.calls, self.ended = [], []
        self.domain = options["domain"]
        self.endpoint = pj.Endpoint()
        self.endpoint.libCreate()
        config = pj.EpConfig()
        config.uaConfig.threadCnt = 0
        config.uaConfig.mainThreadOnly = True
        config.logConfig.level = 5
        config.logConfig.consoleLevel = 0
        config.logConfig.filename = options["log"]
        self.endpoint.libInit(config)
        transport = pj.TransportConfig()
        transport.port = options["port"]
        transport.boundAddress = transport.publicAddress = options["host"]
        self.endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport)
        self.endpoint.libStart()
        self.endpoint.audDevManager().setNullDev()
        account = pj.AccountConfig()
        account.idUri = f"sip:{options['user']}@{self.domain}"
        account.regConfig.registrarUri = f"sip:{self.domain}"
        account.sipConfig.proxies.append(f"sip:{options['host']}:{options['proxy']};lr")
        account.mediaConfig.transportConfig.boundAddress = options["host"]
        account.mediaConfig.transportConfig.publicAddress = options["host"]
        account.natConfig.contactRewriteUse = 0
        if options.get("password"):
            account.sipConfig.authCreds.append(
                pj.AuthCredInfo("digest", "*", options["user"], 0, options["password"]))
        if options.get("prack"):
            account.callConfig.prackUse = pj.PJSUA_100REL_MANDATORY
        if options.get("timer"):
            account.callConfig.timerUse = pj.PJSUA_SIP_TIMER_ALWAYS
            account.callConfig.timerMinSESec = 90
            account.callConfig.timerSessExpiresSec = options["timer"]
        self.account = Account(self)
        self.account.create(account)

    def uri(self, text):
        return text if text.startswith("sip:") else f"sip:{text}@{self.domain}"

    def run(self, words):
        verb, rest = words[0], words[1:]
        prm = pj.CallOpParam(True)
        # The newest call is meant, but for a transfer.
        call = self.calls[-1] if self.calls else None
        if verb == "call":
            call = Call(self)
            self.calls.append(call)
            call.makeCall(self.uri(rest[0]), prm)
        elif verb == "answer":
            prm.statusCode = int(rest[0]) if rest else 200
            call.answer(prm)
        elif verb == "hangup":
            prm.statusCode = int(rest[0]) if rest else 0
            call.hangup(prm)
        elif verb == "hold":
            call.setHold(prm)
        elif verb == "resume":
            prm.opt.flag = pj.PJSUA_CALL_UNHOLD
            call.reinvite(prm)
        elif verb == "update":
            call.update(prm)
        elif verb == "transfer":
            call.xfer(self.uri(rest[0]), prm)
        elif verb == "attended":
            self.calls[-2].xferReplaces(self.calls[-1], prm)
        else:
            raise ValueError(verb)

    def serve(self):
        buffer = ""
        while True:
            self.endpoint.libHandleEvents(10)
            self.ended.clear()
            if not select.select([sys.stdin], [], [], 0)[0]:
                continue
            data = os.read(0, 4096).decode()
            if not data:
                return
            buffer += data
            while "\n" in buffer:
                line, buffer = buffer.split("\n", 1)
                try:
                    self.run(line.split())
                    say("done", line=line)
                except (pj.Error, IndexError, ValueError) as why:
                    say("error", line=line, why=str(why))


def main():
    phone = Phone(json.loads(sys.argv[1]))
    say("ready")
    phone.serve()
    sys.stdout.flush()
    # libDestroy waits for the network; the process that started us does not.
    os._exit(0)


if __name__ == "__main__":
    main()
