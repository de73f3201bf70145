"""Reads a SIP message and says what is wrong with it."""

import sansip

message = sansip.Message.parse(b"OPTIONS sip:bob@example.com SIP/2.0\r\ni: 4711@pc33\r\n\r\n")
print(message.method, message.headers["Call-ID"])
for defect in message.defects:
    print(f"{defect.text} ({defect.clause})")
