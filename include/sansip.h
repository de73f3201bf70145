/*
 * sansip: a SIP protocol engine that does no I/O.
 *
 * This file is generated from sip-ffi; do not edit it.
 *
 * Bytes and the time go in; bytes to send, questions and events come out. The loop:
 *
 *     feed bytes (sansip_receive) or the clock (sansip_handle_timeout);
 *     sansip_poll until it returns NULL: send, answer, act;
 *     sleep until sansip_next_timeout (or as long as sansip_wait_ms says).
 *
 * Rules that hold for every function:
 *
 * - The library has no thread, clock, socket, lock or callback. One engine is used from one thread
 *   at a time; engines share nothing. sansip_new and sansip_free are called from one thread of the
 *   process at a time. Nothing may be called from an interrupt.
 * - int32_t results: 0 is done, negative is SANSIP_E_... and nothing has changed, positive is a
 *   note (SANSIP_IGNORED_..., SANSIP_NOT_FOUND). sansip_error_name names them all.
 * - Strings are pointer and length, UTF-8, without a terminating zero. No bytes at all may be
 *   { NULL, 0 }.
 * - A struct of yours that begins with `size` begins with its sizeof. 0 in another member means its
 *   default where one is named. A longer struct than the library knows is accepted if the rest of
 *   it is zero.
 * - What you pass is used or copied before the function returns.
 * - What sansip_poll lends lives until the next sansip_poll on that engine, or sansip_free; no other
 *   call ends it, and it may be passed into any call on any engine.
 * - SANSIP_E_ARGUMENT from any function: a NULL pointer where none may be, a struct whose size is
 *   wrong, text that is not UTF-8, a number that is none of those listed.
 * - SANSIP_E_PANIC from any function: a defect of the library was caught. From then on every call
 *   on that engine returns it (sansip_poll: NULL); free the engine.
 */


#ifndef SANSIP_H
#define SANSIP_H

#include <stddef.h>
#include <stdint.h>

/**
 * Done.
 */
#define SANSIP_OK 0

/**
 * The handle's object has ended, or belongs to another engine.
 */
#define SANSIP_E_GONE -1

/**
 * It was right in the state last shown by sansip_poll, but the object has moved on. An event
 * that says so is queued.
 */
#define SANSIP_E_LATE -2

/**
 * An argument is not usable: see the top of this file.
 */
#define SANSIP_E_ARGUMENT -3

/**
 * A defect of the library was caught: the engine refuses all further calls.
 */
#define SANSIP_E_PANIC -4

/**
 * The buffer given is too short; the length needed has been stored.
 */
#define SANSIP_E_BUFFER -5

/**
 * The output ring is full: call sansip_poll, then try again.
 */
#define SANSIP_E_FULL_OUTPUTS -101

/**
 * No bytes left in the block pool.
 */
#define SANSIP_E_FULL_BLOCKS -102

/**
 * The table of transactions is full.
 */
#define SANSIP_E_FULL_TRANSACTIONS -103

/**
 * The table of dialogs is full.
 */
#define SANSIP_E_FULL_DIALOGS -104

/**
 * The table of calls is full.
 */
#define SANSIP_E_FULL_CALLS -105

/**
 * The table of lines is full.
 */
#define SANSIP_E_FULL_LINES -106

/**
 * The timer heap is full.
 */
#define SANSIP_E_FULL_TIMERS -107

/**
 * The table of open questions is full.
 */
#define SANSIP_E_FULL_QUERIES -108

/**
 * The table of connections is full.
 */
#define SANSIP_E_FULL_FLOWS -109

/**
 * The table of requests on their way is full.
 */
#define SANSIP_E_FULL_ATTEMPTS -110

/**
 * The table of response contexts is full.
 */
#define SANSIP_E_FULL_FORKS -111

/**
 * The table of local identities is full.
 */
#define SANSIP_E_FULL_LOCALS -112

/**
 * The message would be larger than sansip_limits allows.
 */
#define SANSIP_E_FULL_MESSAGE -113

/**
 * The memory given, or the system's, does not suffice.
 */
#define SANSIP_E_FULL_MEMORY -114

/**
 * sansip_config.seed is all zeros: tags and branches could be guessed.
 */
#define SANSIP_E_ZERO_SEED -201

/**
 * A limit is zero or out of its range.
 */
#define SANSIP_E_BAD_LIMIT -202

/**
 * The URI cannot be parsed, or its scheme is not one that this function takes.
 */
#define SANSIP_E_BAD_URI -203

/**
 * A header field holds CR, LF or another control byte, cannot be parsed, or is missing.
 */
#define SANSIP_E_BAD_HEADER -204

/**
 * The status code is outside the function's range.
 */
#define SANSIP_E_BAD_STATUS -205

/**
 * The object's state does not allow this.
 */
#define SANSIP_E_STATE -206

/**
 * The flow is not open, or its number was used before.
 */
#define SANSIP_E_FLOW -207

/**
 * The local identity has no entry, or its host cannot be used.
 */
#define SANSIP_E_LOCAL -208

/**
 * The answer is not one for this kind of question.
 */
#define SANSIP_E_ANSWER -209

/**
 * The bytes to send are no SIP message.
 */
#define SANSIP_E_NOT_SIP -210

/**
 * The role was left out when the library was built.
 */
#define SANSIP_E_NOT_BUILT -211

/**
 * The media is not usable: no session description can hold it, it came together with a body, or
 * the call needs some and has none.
 */
#define SANSIP_E_MEDIA -212

/**
 * The message was ignored: the bytes are no SIP message (RFC 3261 7).
 */
#define SANSIP_IGNORED_NOT_SIP 1

/**
 * Ignored: a keep-alive (RFC 5626 4.4.1).
 */
#define SANSIP_IGNORED_KEEPALIVE 2

/**
 * Ignored: a response with a defect that a client drops.
 */
#define SANSIP_IGNORED_BAD_RESPONSE 3

/**
 * Ignored: an ACK with a defect; an ACK is never answered.
 */
#define SANSIP_IGNORED_BAD_ACK 4

/**
 * Ignored: a request so defective that no answer could be built or sent.
 */
#define SANSIP_IGNORED_UNANSWERABLE 5

/**
 * Ignored: a response that matches no transaction.
 */
#define SANSIP_IGNORED_STRAY_RESPONSE 6

/**
 * Ignored: an ACK that matches neither a transaction nor a dialog.
 */
#define SANSIP_IGNORED_STRAY_ACK 7

/**
 * Ignored: a response with nowhere to go.
 */
#define SANSIP_IGNORED_NOWHERE_TO_GO 8

/**
 * Ignored: a repetition that the transaction absorbed.
 */
#define SANSIP_IGNORED_REPEATED 9

/**
 * Ignored: the answer would exceed what the unproven source has paid for.
 */
#define SANSIP_IGNORED_UNPAID 10

/**
 * Ignored: out of order in its dialog.
 */
#define SANSIP_IGNORED_OUT_OF_ORDER 11

/**
 * There is no such header field, defect or request.
 */
#define SANSIP_NOT_FOUND 100

/**
 * UDP.
 */
#define SANSIP_UDP 1

/**
 * TCP.
 */
#define SANSIP_TCP 2

/**
 * TLS.
 */
#define SANSIP_TLS 3

/**
 * WebSocket.
 */
#define SANSIP_WS 4

/**
 * WebSocket over TLS.
 */
#define SANSIP_WSS 5

/**
 * User agent: lines and calls.
 */
#define SANSIP_ROLE_UA 1

/**
 * Proxy.
 */
#define SANSIP_ROLE_PROXY 2

/**
 * Registrar for the domains of sansip_config.
 */
#define SANSIP_ROLE_REGISTRAR 4

/**
 * At most 3 times the bytes that an unproven UDP source sent are sent to it.
 */
#define SANSIP_RETRANSMIT_PAID 1

/**
 * As the timers of RFC 3261 17 say, without that bound: for closed networks and tests.
 */
#define SANSIP_RETRANSMIT_RFC 2

/**
 * All targets at once.
 */
#define SANSIP_ORDER_PARALLEL 1

/**
 * One target after the other, the highest q first.
 */
#define SANSIP_ORDER_SERIAL 2

/**
 * The targets of the highest q at once, then those of the next.
 */
#define SANSIP_ORDER_MIXED 3

/**
 * No provisional response is sent reliably (RFC 3262), and 100rel is not supported.
 */
#define SANSIP_RELIABLE_NEVER 1

/**
 * Those with a body are, to a caller that supports it.
 */
#define SANSIP_RELIABLE_WITH_BODY 2

/**
 * All but 100 are, to a caller that supports it.
 */
#define SANSIP_RELIABLE_ALWAYS 3

/**
 * All but 100 are; a caller that does not support it gets 421.
 */
#define SANSIP_RELIABLE_REQUIRE 4

/**
 * The transferor hangs up when a NOTIFY says that the new call stands.
 */
#define SANSIP_LEAVES_ON_FINAL_NOTIFY 1

/**
 * The transferor hangs up when its REFER is accepted.
 */
#define SANSIP_LEAVES_ON_ACCEPTED 2

/**
 * The transferor never hangs up by itself.
 */
#define SANSIP_LEAVES_NEVER 3

/**
 * A transfer to a call that still rings waits for its answer.
 */
#define SANSIP_RINGING_WAIT 1

/**
 * The REFER goes at once, with Replaces.
 */
#define SANSIP_RINGING_REPLACES 2

/**
 * The ringing call is given up, and the REFER goes without Replaces.
 */
#define SANSIP_RINGING_BLIND 3

/**
 * About a peer's REFER you are asked.
 */
#define SANSIP_TRANSFERS_ASK 1

/**
 * The REFERs of a call's peer are done; about others you are asked.
 */
#define SANSIP_TRANSFERS_ACCEPT 2

/**
 * All REFERs are refused with 603.
 */
#define SANSIP_TRANSFERS_REFUSE 3

/**
 * REGISTER and INVITE are challenged.
 */
#define SANSIP_CHALLENGE_CALLS 1

/**
 * All requests are challenged but ACK and CANCEL.
 */
#define SANSIP_CHALLENGE_ALL 2

/**
 * The proxy adds no Path to the REGISTERs that it forwards (RFC 3327).
 */
#define SANSIP_PATH_NEVER 1

/**
 * It does where the device supports it.
 */
#define SANSIP_PATH_SUPPORTED 2

/**
 * It always does: a device that does not support it gets 421.
 */
#define SANSIP_PATH_REQUIRED 3

/**
 * It always does, whatever the device says.
 */
#define SANSIP_PATH_ALWAYS 4

/**
 * Only devices of RFC 5626 and those on WebSockets are reached where their requests come from.
 */
#define SANSIP_NAT_NEVER 1

/**
 * Those too whose Via and Contact name one IP address, and whose requests come from another, or come by TLS
 * with a Contact that asks for TLS.
 */
#define SANSIP_NAT_DETECT 2

/**
 * All are whose requests come without a proxy between.
 */
#define SANSIP_NAT_ALWAYS 3

/**
 * MD5.
 */
#define SANSIP_MD5 1

/**
 * SHA-256.
 */
#define SANSIP_SHA_256 2

/**
 * SHA-512-256.
 */
#define SANSIP_SHA_512_256 3

/**
 * Sound.
 */
#define SANSIP_KIND_AUDIO 1

/**
 * Moving pictures.
 */
#define SANSIP_KIND_VIDEO 2

/**
 * Text in real time (RFC 4103).
 */
#define SANSIP_KIND_TEXT 3

/**
 * Data of an application.
 */
#define SANSIP_KIND_APPLICATION 4

/**
 * Messages (RFC 4975).
 */
#define SANSIP_KIND_MESSAGE 5

/**
 * Pictures, as of a fax (RFC 3362).
 */
#define SANSIP_KIND_IMAGE 6

/**
 * A type that is none of these: in agreed streams alone, where you have made the description.
 */
#define SANSIP_KIND_OTHER 7

/**
 * Both ways.
 */
#define SANSIP_SENDRECV 1

/**
 * We send alone.
 */
#define SANSIP_SENDONLY 2

/**
 * We receive alone.
 */
#define SANSIP_RECVONLY 3

/**
 * Neither way.
 */
#define SANSIP_INACTIVE 4

/**
 * A call is put on hold so that we may still send to the peer: music, say.
 */
#define SANSIP_HOLD_SENDONLY 1

/**
 * Neither side sends to the other.
 */
#define SANSIP_HOLD_INACTIVE 2

/**
 * As SANSIP_HOLD_SENDONLY, with the address 0.0.0.0 that old peers expect (RFC 2543 B.5).
 */
#define SANSIP_HOLD_ZERO 3

/**
 * Send the bytes of u.transmit.
 */
#define SANSIP_TRANSMIT 1

/**
 * Write what was lent for the flow u.close before, close it, then call sansip_flow_closed.
 */
#define SANSIP_CLOSE 2

/**
 * Answer the question u.query, now or later, once: sansip_answer_...
 */
#define SANSIP_QUERY 3

/**
 * The asker of the question u.forget has ended; a late answer is harmless.
 */
#define SANSIP_FORGET 4

/**
 * Something happened: u.event.
 */
#define SANSIP_EVENT 5

/**
 * The session of a call has changed: what to send and hear from now on is u.media.
 */
#define SANSIP_MEDIA 6

/**
 * For sansip_answer_addresses: the IPv4 and IPv6 addresses of `text`, for `transport`.
 */
#define SANSIP_Q_DNS 1

/**
 * For sansip_answer_connected, after sansip_flow_opened: a connection to `addr` by `transport`,
 * where TLS has to verify the name `text` (empty: none).
 */
#define SANSIP_Q_CONNECT 2

/**
 * For sansip_answer_route or sansip_answer_reject: where to send `request`, whose Request-URI is
 * `text`. `ours` is not 0 if that is one of our domains or identities.
 */
#define SANSIP_Q_ROUTE 3

/**
 * For sansip_answer_located: the bindings of the address of record `text`; to route `request`, or to
 * register where that is 0.
 */
#define SANSIP_Q_LOCATE 4

/**
 * For sansip_answer_stored or sansip_answer_conflict: store `bindings` in place of all that the
 * address of record `text` has, if its version is still `version` (0: it has none).
 */
#define SANSIP_Q_STORE 5

/**
 * For sansip_answer_password, sansip_answer_ha1 or sansip_answer_not_found: the secret of the user
 * `text` in `realm`, by `algorithm`. With `line` to answer a challenge to a request of that line,
 * without to check somebody else's credentials.
 */
#define SANSIP_Q_CREDENTIALS 6

/**
 * For sansip_answer_media or sansip_answer_description: the media of `call` that no function gave.
 * `text` is the peer's offer; empty where it has made none. sansip_answer_not_found calls without,
 * and refuses a call that came in with 488.
 */
#define SANSIP_Q_MEDIA 7

/**
 * A call came in; the message is its INVITE. Ring, answer, reject or redirect it.
 */
#define SANSIP_EV_CALL_INCOMING 257

/**
 * A provisional response came, `status` 101 to 199; the message is that response.
 */
#define SANSIP_EV_CALL_PROGRESS 258

/**
 * The peer answered, `status` 200 to 299; the message is that response. The ACK is on its way.
 */
#define SANSIP_EV_CALL_ANSWERED 259

/**
 * The peer has our answer; the message is its ACK.
 */
#define SANSIP_EV_CALL_CONFIRMED 260

/**
 * The peer wants to change the session; the message is its re-INVITE. Answer or reject it.
 */
#define SANSIP_EV_CALL_REINVITE 261

/**
 * Our re-INVITE was answered with `status`; the message is the response, if one came.
 */
#define SANSIP_EV_CALL_REINVITED 262

/**
 * Our UPDATE was answered with `status`; the message is the response, if one came.
 */
#define SANSIP_EV_CALL_UPDATED 306

/**
 * The peer is somebody else now; the message is the request whose From says so (RFC 4916).
 */
#define SANSIP_EV_CALL_IDENTITY 307

/**
 * The line's policy was first; what it did is `why`, SANSIP_POLICY_.... A person's verb comes too
 * late now.
 */
#define SANSIP_EV_CALL_POLICY 264

/**
 * Our INVITE was redirected with `status`, and the call goes on: by itself, or when sansip_follow
 * says so, as the line's policy has it. The message is the response.
 */
#define SANSIP_EV_CALL_REDIRECTED 265

/**
 * The transfer that we asked for goes on: the peer answered our REFER, or its NOTIFY says how the
 * new call goes, by `status`. The message is that response or NOTIFY.
 */
#define SANSIP_EV_CALL_TRANSFER 268

/**
 * The transfer that we asked for is over: it worked with `status` 200 to 299, else the call is
 * the person's again; 408 where nothing came, 503 where there was no way.
 */
#define SANSIP_EV_CALL_TRANSFERRED 269

/**
 * The engine has placed this call because a peer asked for it; the message is its REFER.
 */
#define SANSIP_EV_CALL_REFERRED 270

/**
 * The call has ended, `why` is SANSIP_END_..., `status` the one that ended it or 0. The handle is
 * stale from now on.
 */
#define SANSIP_EV_CALL_ENDED 263

/**
 * The line is registered for `expires_s` seconds, and will be refreshed in time.
 */
#define SANSIP_EV_LINE_REGISTERED 513

/**
 * The line is not registered any more, as asked.
 */
#define SANSIP_EV_LINE_UNREGISTERED 514

/**
 * The line could not be registered; `status` is the refusal, 408 where nothing came back, 503
 * where there was no way.
 */
#define SANSIP_EV_LINE_FAILED 515

/**
 * The registrar sees another address than we tell, or no longer does: `addr` (RFC 3581).
 * sansip_set_local can take it. The message is its response.
 */
#define SANSIP_EV_LINE_MAPPED 516

/**
 * A request that the engine leaves to you: answer it by sansip_respond, else the engine does.
 */
#define SANSIP_EV_REQUEST 769

/**
 * A peer asks by REFER, the message, for a call: sansip_accept_transfer or sansip_reject_transfer,
 * else the engine answers 480. `call` is the one that it came in or names, 0 if there is none.
 */
#define SANSIP_EV_TRANSFER 770

/**
 * Our request of sansip_options was answered with `status`, 408 where nothing came, 503 where there
 * was no way; `user` is your own number of it, the message is the response.
 */
#define SANSIP_EV_ANSWERED 1281

/**
 * Our request of sansip_refer goes on: `status` is what was answered to it, or what a NOTIFY, the
 * message, says of the new call; `user` is your own number of it.
 */
#define SANSIP_EV_REFER_PROGRESS 1282

/**
 * The same, and it is over: with 2xx it worked; 408 where nothing came, 503 where there was no way.
 */
#define SANSIP_EV_REFER_ENDED 1283

/**
 * Everything has failed that was to be tried for `request`, which waits for late targets: see
 * sansip_add_targets. `status` is what goes back when no more come.
 */
#define SANSIP_EV_EXHAUSTED 1537

/**
 * The limit whose error is `code` was reached, and something was refused because of it.
 */
#define SANSIP_EV_LIMITED 1025

/**
 * We hung up an answered call.
 */
#define SANSIP_END_HANGUP 1

/**
 * The peer hung up.
 */
#define SANSIP_END_REMOTE_HANGUP 2

/**
 * The peer refused the call.
 */
#define SANSIP_END_REFUSED 3

/**
 * We refused it.
 */
#define SANSIP_END_REJECTED 4

/**
 * We gave it up before it was answered.
 */
#define SANSIP_END_ABANDONED 5

/**
 * The peer gave it up before we answered.
 */
#define SANSIP_END_CANCELLED 6

/**
 * Nobody answered.
 */
#define SANSIP_END_TIMEOUT 7

/**
 * There was no way to the peer, or it was lost.
 */
#define SANSIP_END_UNREACHABLE 8

/**
 * The ACK of our answer never came.
 */
#define SANSIP_END_NO_ACK 9

/**
 * The session was not refreshed in time.
 */
#define SANSIP_END_SESSION_EXPIRED 13

/**
 * Another call took its place (RFC 3891).
 */
#define SANSIP_END_REPLACED 11

/**
 * It was transferred, and we left it.
 */
#define SANSIP_END_TRANSFERRED 12

/**
 * The peer's answer, or its offer, could not be used.
 */
#define SANSIP_END_BAD_MEDIA 10

/**
 * It was forwarded, as every call is.
 */
#define SANSIP_POLICY_FORWARD_ALWAYS 1

/**
 * It was forwarded because the line is busy.
 */
#define SANSIP_POLICY_FORWARD_BUSY 2

/**
 * It was forwarded because nobody answered.
 */
#define SANSIP_POLICY_FORWARD_NO_ANSWER 3

/**
 * It was forwarded because nobody is to be disturbed.
 */
#define SANSIP_POLICY_FORWARD_DND 4

/**
 * It was refused because nobody is to be disturbed.
 */
#define SANSIP_POLICY_DND 5

/**
 * It was refused because the line is busy.
 */
#define SANSIP_POLICY_BUSY 6

/**
 * It was refused because it came without its caller's identity.
 */
#define SANSIP_POLICY_ANONYMOUS 7

/**
 * It was answered.
 */
#define SANSIP_POLICY_AUTO_ANSWER 8

/**
 * It was refused because it requires to be answered without a person.
 */
#define SANSIP_POLICY_ANSWER_MODE 9

/**
 * The peer closed it.
 */
#define SANSIP_FLOW_CLOSED 1

/**
 * It was reset, or writing failed.
 */
#define SANSIP_FLOW_RESET 2

/**
 * We closed it, asked by SANSIP_CLOSE.
 */
#define SANSIP_FLOW_ASKED 3

/**
 * Nobody listens there, or there is no way there.
 */
#define SANSIP_SEND_UNREACHABLE 1

/**
 * It is larger than the path takes.
 */
#define SANSIP_SEND_TOO_LARGE 2

/**
 * Anything else.
 */
#define SANSIP_SEND_OTHER 3

/**
 * No timer is pending.
 */
#define SANSIP_NEVER 18446744073709551615ull

/**
 * A redirected call of the line ends, refused with the 3xx.
 */
#define SANSIP_FOLLOW_NEVER 0

/**
 * A person decides: sansip_follow or hang up.
 */
#define SANSIP_FOLLOW_ASK 1

/**
 * It goes on by itself (RFC 3261 8.1.3.4).
 */
#define SANSIP_FOLLOW_ALWAYS 2

/**
 * The engine answers no call by itself.
 */
#define SANSIP_AUTO_ANSWER_NEVER 0

/**
 * It answers those whose caller asks for it, by Answer-Mode (RFC 5373), Alert-Info or Call-Info.
 */
#define SANSIP_AUTO_ANSWER_ASKED 1

/**
 * It answers every call, unless its caller asks for a person.
 */
#define SANSIP_AUTO_ANSWER_ALWAYS 2

/**
 * The bytes are one datagram: the body ends where the datagram does.
 */
#define SANSIP_DATAGRAM 1

/**
 * The bytes are the front of a stream: Content-Length tells where the body ends.
 */
#define SANSIP_STREAM 2

/**
 * An engine.
 */
typedef struct sansip_engine sansip_engine;

/**
 * A parser: the room for one message's fields and defects, used again for the next.
 */
typedef struct sansip_parser sansip_parser;

/**
 * The room of every table. Take a preset and change what differs; 0 is 0, but in the members from
 * `message` on it means the default.
 */
typedef struct {
  /**
   * sizeof(sansip_limits).
   */
  uint32_t size;
  /**
   * Lines (addresses of record that the user agent serves).
   */
  uint32_t lines;
  /**
   * Calls, both directions together.
   */
  uint32_t calls;
  /**
   * Calls that others may open; lower than `calls` keeps room to dial out.
   */
  uint32_t calls_in;
  /**
   * Dialogs. A call that forks has several.
   */
  uint32_t dialogs;
  /**
   * Transactions, all four kinds together.
   */
  uint32_t transactions;
  /**
   * Requests on their way to a target set.
   */
  uint32_t attempts;
  /**
   * Requests that the proxy and the registrar work on.
   */
  uint32_t forks;
  /**
   * Branches of one of those, at most 255.
   */
  uint32_t branches;
  /**
   * Connections.
   */
  uint32_t flows;
  /**
   * Local identities.
   */
  uint32_t locals;
  /**
   * Open questions.
   */
  uint32_t queries;
  /**
   * Places of the output ring, at least 8.
   */
  uint32_t outputs;
  /**
   * Bytes of the block pool.
   */
  uint32_t pool;
  /**
   * Sources that are remembered as proven.
   */
  uint32_t sources;
  /**
   * Challenges that lines have answered and remember: one for each line, realm and peer. Without
   * any no challenge is answered.
   */
  uint32_t credentials;
  /**
   * Nonces of ours whose use is remembered; needed where others are challenged.
   */
  uint32_t nonces;
  /**
   * Bytes of a message, 500 to 65535.
   */
  uint32_t message;
  /**
   * Bytes of its start line and header section.
   */
  uint32_t header_section;
  /**
   * Its header fields.
   */
  uint32_t fields;
  /**
   * Bytes of one field's value.
   */
  uint32_t value;
  /**
   * Items of a list header.
   */
  uint32_t list;
  /**
   * Parameters of one value.
   */
  uint32_t params;
  /**
   * Bytes of the request URI.
   */
  uint32_t uri;
  /**
   * Defects that are listed with their position.
   */
  uint32_t defects;
} sansip_limits;

/**
 * Text: not terminated by a zero.
 */
typedef struct {
  /**
   * Its first byte; may be NULL if n is 0.
   */
  const char *p;
  /**
   * How many bytes.
   */
  size_t n;
} sansip_str;

/**
 * An IP address and a port.
 */
typedef struct {
  /**
   * The address in network order; IPv4 in the first four bytes.
   */
  uint8_t ip[16];
  /**
   * The scope (interface index) of a link-local IPv6 address, else 0.
   */
  uint32_t scope;
  /**
   * The port, in your machine's byte order.
   */
  uint16_t port;
  /**
   * 4 or 6.
   */
  uint8_t family;
  /**
   * 0.
   */
  uint8_t reserved;
} sansip_addr;

/**
 * A range of addresses.
 */
typedef struct {
  /**
   * Any address of it; the port does not matter.
   */
  sansip_addr addr;
  /**
   * How many leading bits count.
   */
  uint32_t prefix;
} sansip_network;

/**
 * How an engine behaves. Set it up by sansip_config_init, then at least `seed`.
 */
typedef struct {
  /**
   * sizeof(sansip_config).
   */
  uint32_t size;
  /**
   * SANSIP_ROLE_... together; 0: all that the library was built with.
   */
  uint32_t roles;
  /**
   * 32 random bytes, new at each start and for each engine. All zeros is refused.
   */
  uint8_t seed[32];
  /**
   * A secret that the engines of one service share.
   */
  uint8_t cluster_key[32];
  /**
   * The Unix time in milliseconds of your time 0; 0 if it is not known (then no Date).
   */
  uint64_t unix_at_zero;
  /**
   * Tells the handles of the engines of one process apart. 0 to 255.
   */
  uint32_t tag;
  /**
   * The shard that this engine is. 0 to 255.
   */
  uint32_t shard;
  /**
   * RFC 3261 T1 in milliseconds; 0: 500.
   */
  uint32_t t1_ms;
  /**
   * T2; 0: 4000.
   */
  uint32_t t2_ms;
  /**
   * T4; 0: 5000.
   */
  uint32_t t4_ms;
  /**
   * How long a call may ring that we placed; 0: 180000.
   */
  uint32_t ring_ms;
  /**
   * How long a question waits for its answer; 0: 30000.
   */
  uint32_t query_ms;
  /**
   * Timer C of the proxy; 0: 181000.
   */
  uint32_t timer_c_ms;
  /**
   * How long the proxy works on a request at most; 0: 3600000.
   */
  uint32_t timer_c_total_ms;
  /**
   * SANSIP_ORDER_...: in what order the proxy tries the targets of a request; 0: mixed.
   */
  uint32_t fork_order;
  /**
   * How long targets may ring before those that come after them are tried; 0: 20000.
   */
  uint32_t fork_ring_ms;
  /**
   * Not 0: the proxy tries the contacts of a 300, 301 or 302.
   */
  uint32_t fork_recurse;
  /**
   * Not 0: the proxy tells the caller of the targets by a 302.
   */
  uint32_t fork_redirect;
  /**
   * Not 0: what callers ask by Request-Disposition does not count.
   */
  uint32_t no_dispositions;
  /**
   * The Max-Breadth of a request that has none (RFC 5393); 0: 60; 65536 or more: none is added.
   */
  uint32_t max_breadth;
  /**
   * How long a request waits for late targets when nothing else is left to try; 0: 30000.
   */
  uint32_t fork_late_ms;
  /**
   * SANSIP_RETRANSMIT_...; 0: paid.
   */
  uint32_t retransmit;
  /**
   * Not 0: the proxy does not stay in the path of the dialogs it forwards.
   */
  uint32_t no_record_route;
  /**
   * Not 0: you cannot answer questions for the addresses of names.
   */
  uint32_t no_dns;
  /**
   * The shortest registration that the registrar accepts, in seconds; 0: 60.
   */
  uint32_t min_expires_s;
  /**
   * The one it gives where none is asked for; 0: 3600.
   */
  uint32_t default_expires_s;
  /**
   * The longest it gives; 0: 7200.
   */
  uint32_t max_expires_s;
  /**
   * Bindings of one address of record, at most 32; 0: 10.
   */
  uint32_t max_bindings;
  /**
   * User-Agent or Server; empty leaves it out.
   */
  sansip_str product;
  /**
   * The domains that the proxy and the registrar are responsible for.
   */
  const sansip_str *domains;
  /**
   * How many, at most 65535.
   */
  size_t n_domains;
  /**
   * Networks whose UDP sources need no proof.
   */
  const sansip_network *trusted;
  /**
   * How many, at most 65535.
   */
  size_t n_trusted;
  /**
   * Where the user agent sends every request outside a dialog; family 0: nowhere.
   */
  sansip_addr outbound;
  /**
   * How long a session lasts without a refresh (RFC 4028), in seconds; 0: 1800.
   */
  uint32_t session_expires_s;
  /**
   * Not 0: calls ask for no session timer. What the peer asks for is honoured all the same.
   */
  uint32_t no_session_timer;
  /**
   * The shortest session that is accepted, in seconds; 0: 90.
   */
  uint32_t min_se_s;
  /**
   * SANSIP_RELIABLE_...; 0: those with a body.
   */
  uint32_t reliable;
  /**
   * When the transferor hangs up: SANSIP_LEAVES_...; 0: on the final NOTIFY.
   */
  uint32_t transferor_leaves;
  /**
   * What a transfer to a call does that still rings: SANSIP_RINGING_...; 0: it waits.
   */
  uint32_t transfer_ringing;
  /**
   * Not 0: an attended transfer names the target by its address of record.
   */
  uint32_t transfer_to_aor;
  /**
   * Not 0: our REFERs ask for no NOTIFYs (RFC 4488).
   */
  uint32_t no_refer_sub;
  /**
   * What becomes of the peers' REFERs: SANSIP_TRANSFERS_...; 0: you are asked.
   */
  uint32_t transfers;
  /**
   * A longer request does not go by UDP where TCP is possible, in bytes; 0: 1300; 65535 or more:
   * no bound.
   */
  uint32_t datagram_max;
  /**
   * Not 0: you are not asked for the media of calls, and session descriptions are your bodies.
   */
  uint32_t no_ask_media;
  /**
   * How a call is put on hold: SANSIP_HOLD_...; 0: SANSIP_HOLD_SENDONLY.
   */
  uint32_t hold;
  /**
   * SANSIP_CHALLENGE_...: which requests the proxy and the registrar challenge; 0: none. The
   * secrets are asked for by SANSIP_Q_CREDENTIALS.
   */
  uint32_t challenge;
  /**
   * For how many milliseconds a nonce holds; 0: 300000.
   */
  uint32_t nonce_ms;
  /**
   * Not 0: a request's body may be protected too (auth-int).
   */
  uint32_t integrity;
  /**
   * How many algorithms, at most 4.
   */
  uint32_t n_algorithms;
  /**
   * SANSIP_MD5 and so on, in the order in which they are offered: the strongest first.
   */
  uint32_t algorithms[4];
  /**
   * The realm of the challenges.
   */
  sansip_str realm;
  /**
   * SANSIP_PATH_...; 0: never.
   */
  uint32_t path_use;
  /**
   * SANSIP_NAT_...; 0: those are reached where they come from that are seen to need it.
   */
  uint32_t nat;
  /**
   * Not 0: the registrar gives no GRUUs (RFC 5627).
   */
  uint32_t no_gruu;
  /**
   * Not 0: requests are forwarded without keeping anything of them (RFC 3261 16.11), where that
   * can be.
   */
  uint32_t stateless;
  /**
   * The most server transactions that requests from one address may have open; 0: no bound.
   */
  uint32_t per_source;
  /**
   * 0.
   */
  uint32_t reserved;
  /**
   * The Service-Route that registrations get (RFC 3608), as the field lists them; empty for none.
   */
  sansip_str service_route;
  /**
   * The trust domain of RFC 3325.
   */
  const sansip_network *trust;
  /**
   * How many, at most 65535; 0: P-Asserted-Identity passes like any other field.
   */
  size_t n_trust;
} sansip_config;

/**
 * One identity of this side: what is bound, and what others are told.
 */
typedef struct {
  /**
   * sizeof(sansip_local).
   */
  uint32_t size;
  /**
   * SANSIP_UDP and so on.
   */
  uint32_t transport;
  /**
   * The address that the socket is bound to.
   */
  sansip_addr bound;
  /**
   * The host that Via, Contact and Record-Route carry: a name or an IP address, IPv6 in
   * brackets. At most 63 bytes.
   */
  sansip_str host;
  /**
   * The port that they carry; 0 leaves it out.
   */
  uint16_t port;
  /**
   * The network it belongs to: a target reached over one network is not tried over another.
   */
  uint16_t network;
  /**
   * 0.
   */
  uint32_t reserved;
} sansip_local;

/**
 * A connection: your own number, from 1, never used twice in an engine's life. 0 is none.
 */
typedef struct {
  /**
   * The number.
   */
  uint64_t v;
} sansip_flow;

/**
 * The way a message came or goes.
 */
typedef struct {
  /**
   * The peer.
   */
  sansip_addr remote;
  /**
   * The connection; 0 for a datagram.
   */
  sansip_flow flow;
  /**
   * The identity at this end: a number given to sansip_set_local.
   */
  uint32_t local;
  /**
   * 0.
   */
  uint32_t reserved;
} sansip_path;

/**
 * A connection that has opened.
 */
typedef struct {
  /**
   * sizeof(sansip_flow_info).
   */
  uint32_t size;
  /**
   * The identity at this end.
   */
  uint32_t local;
  /**
   * SANSIP_TCP and so on.
   */
  uint32_t transport;
  /**
   * Not 0: the peer opened it.
   */
  uint32_t accepted;
  /**
   * The peer.
   */
  sansip_addr remote;
  /**
   * The names that TLS verified.
   */
  const sansip_str *names;
  /**
   * How many, at most 8.
   */
  size_t n_names;
} sansip_flow_info;

/**
 * What was sent, for sansip_send_failed.
 */
typedef struct {
  /**
   * The number.
   */
  uint64_t v;
} sansip_send_id;

/**
 * Bytes to send. With path.flow set, write them to that connection, whole and in order; else send
 * one datagram from the socket of path.local to path.remote.
 */
typedef struct {
  /**
   * Where to.
   */
  sansip_path path;
  /**
   * The bytes.
   */
  const uint8_t *p;
  /**
   * How many.
   */
  size_t n;
  /**
   * Which object sends: the same for a message and its repetitions.
   */
  sansip_send_id send;
  /**
   * 0 for the first time, then counting the repetitions.
   */
  uint32_t copy;
  /**
   * 0.
   */
  uint32_t reserved;
} sansip_transmit;

/**
 * A question of the engine.
 */
typedef struct {
  /**
   * The handle's number.
   */
  uint64_t v;
} sansip_query;

/**
 * A request that waits for its answer. 0 is none.
 */
typedef struct {
  /**
   * The handle's number.
   */
  uint64_t v;
} sansip_request;

/**
 * A contact of an address of record (RFC 3261 10).
 */
typedef struct {
  /**
   * The contact's URI as it was registered.
   */
  sansip_str uri;
  /**
   * Its parameters other than q and expires, as they were.
   */
  sansip_str params;
  /**
   * The Call-ID of the REGISTER that made it.
   */
  sansip_str call_id;
  /**
   * The routes to it (RFC 3327). To be kept as it is.
   */
  sansip_str path;
  /**
   * The CSeq of that REGISTER.
   */
  uint32_t cseq;
  /**
   * Seconds until it expires, from now.
   */
  uint32_t expires_s;
  /**
   * Preference, 0 to 1000.
   */
  uint32_t q;
  /**
   * 0.
   */
  uint32_t reserved;
} sansip_binding;

/**
 * A line. 0 is none.
 */
typedef struct {
  /**
   * The handle's number.
   */
  uint64_t v;
} sansip_line;

/**
 * A call. 0 is none.
 */
typedef struct {
  /**
   * The handle's number.
   */
  uint64_t v;
} sansip_call;

/**
 * A question. One whose kind you do not know: sansip_answer_failed.
 */
typedef struct {
  /**
   * To be named in the answer.
   */
  sansip_query id;
  /**
   * SANSIP_Q_...
   */
  uint32_t kind;
  /**
   * SANSIP_UDP and so on, where the kind says so.
   */
  uint32_t transport;
  /**
   * Where the kind says so.
   */
  sansip_str text;
  /**
   * Where the kind says so.
   */
  sansip_addr addr;
  /**
   * Where the kind says so.
   */
  uint32_t ours;
  /**
   * Where the kind says so.
   */
  sansip_request request;
  /**
   * Where the kind says so.
   */
  uint64_t version;
  /**
   * Where the kind says so.
   */
  const sansip_binding *bindings;
  /**
   * How many.
   */
  size_t n_bindings;
  /**
   * Where the kind says so.
   */
  sansip_str realm;
  /**
   * Where the kind says so; 0 for none.
   */
  sansip_line line;
  /**
   * SANSIP_MD5 and so on, where the kind says so.
   */
  uint32_t algorithm;
  /**
   * 0.
   */
  uint32_t reserved;
  /**
   * Where the kind says so.
   */
  sansip_call call;
} sansip_question;

/**
 * Bytes.
 */
typedef struct {
  /**
   * The first; may be NULL if n is 0.
   */
  const void *p;
  /**
   * How many.
   */
  size_t n;
} sansip_bytes;

/**
 * Something that happened. Skip one whose kind you do not know.
 */
typedef struct {
  /**
   * SANSIP_EV_...
   */
  uint32_t kind;
  /**
   * A SIP status, where the kind says so.
   */
  uint32_t status;
  /**
   * SANSIP_END_... or SANSIP_POLICY_..., where the kind says so.
   */
  uint32_t why;
  /**
   * Where the kind says so.
   */
  uint32_t expires_s;
  /**
   * SANSIP_E_FULL_..., where the kind says so.
   */
  int32_t code;
  /**
   * The line, 0 if there is none.
   */
  sansip_line line;
  /**
   * The call, 0 if it is no event of a call; that of a request which came in one.
   */
  sansip_call call;
  /**
   * The request, 0 if it is no event of a request.
   */
  sansip_request request;
  /**
   * Your own number of the call, or of the line.
   */
  uint64_t user;
  /**
   * Where the kind says so.
   */
  sansip_addr addr;
  /**
   * The message that caused it, for sansip_read and sansip_header; empty if none did.
   */
  sansip_bytes message;
} sansip_event;

/**
 * A codec that both sides have.
 */
typedef struct {
  /**
   * Encoding name; where the transport is not RTP, the format.
   */
  sansip_str name;
  /**
   * Their parameters; empty where they give none.
   */
  sansip_str fmtp;
  /**
   * Clock rate in hertz.
   */
  uint32_t clock;
  /**
   * The payload type that we send: theirs.
   */
  uint8_t send_payload;
  /**
   * The payload type that we receive: ours.
   */
  uint8_t receive_payload;
  /**
   * Channels.
   */
  uint8_t channels;
  /**
   * 0.
   */
  uint8_t reserved;
} sansip_agreed_codec;

/**
 * A stream as both sides have it.
 */
typedef struct {
  /**
   * SANSIP_KIND_...
   */
  uint32_t kind;
  /**
   * Not 0: one side has refused it. Nothing flows, and the rest means nothing.
   */
  uint32_t refused;
  /**
   * SANSIP_SENDRECV and so on: what we do now.
   */
  uint32_t direction;
  /**
   * Not 0: the peer receives nothing from us.
   */
  uint32_t held_by_peer;
  /**
   * Not 0: we receive nothing from the peer.
   */
  uint32_t held_by_us;
  /**
   * Kilobits a second that the peer wants at most; 0: nothing is said.
   */
  uint32_t bandwidth;
  /**
   * Where to send; family 0 where the peer gives a name (see remote_host), or no address.
   */
  sansip_addr remote;
  /**
   * Where we receive.
   */
  uint16_t local_port;
  /**
   * The peer's port.
   */
  uint16_t remote_port;
  /**
   * Milliseconds of sound that the peer would like in a packet; 0: nothing is said.
   */
  uint16_t ptime_ms;
  /**
   * 0.
   */
  uint16_t reserved;
  /**
   * The peer's address or name as it was written.
   */
  sansip_str remote_host;
  /**
   * The transport: RTP/AVP and so on.
   */
  sansip_str transport;
  /**
   * The value of our a=crypto, with the key for what we send; empty: not encrypted.
   */
  sansip_str local_crypto;
  /**
   * The value of the peer's, with the key for what it sends; empty: not encrypted.
   */
  sansip_str remote_crypto;
  /**
   * The codecs that both have, in the peer's order, the first to be used for sending.
   */
  const sansip_agreed_codec *codecs;
  /**
   * How many.
   */
  size_t n_codecs;
} sansip_agreed_stream;

/**
 * The session of a call: what to send and hear from now on.
 */
typedef struct {
  /**
   * The call.
   */
  sansip_call call;
  /**
   * Its line, 0 if there is none.
   */
  sansip_line line;
  /**
   * Your own number of the call.
   */
  uint64_t user;
  /**
   * The streams, in the order of the m= lines.
   */
  const sansip_agreed_stream *streams;
  /**
   * How many: one for each 128 bytes of sansip_limits.message at most, and a codec for each 64.
   * What is more than that is in the descriptions alone.
   */
  size_t n_streams;
  /**
   * Our session description.
   */
  sansip_str local;
  /**
   * The peer's.
   */
  sansip_str remote;
} sansip_agreed;

/**
 * What an output holds, by its kind.
 */
typedef union {
  /**
   * SANSIP_TRANSMIT.
   */
  sansip_transmit transmit;
  /**
   * SANSIP_CLOSE.
   */
  sansip_flow close;
  /**
   * SANSIP_QUERY.
   */
  sansip_question query;
  /**
   * SANSIP_FORGET.
   */
  sansip_query forget;
  /**
   * SANSIP_EVENT.
   */
  sansip_event event;
  /**
   * SANSIP_MEDIA.
   */
  sansip_agreed media;
} sansip_output_union;

/**
 * One thing that the engine wants done or known. Skip one whose kind you do not know.
 */
typedef struct {
  /**
   * SANSIP_TRANSMIT and so on.
   */
  uint32_t kind;
  /**
   * 0.
   */
  uint32_t reserved;
  /**
   * The output.
   */
  sansip_output_union u;
} sansip_output;

/**
 * What an engine holds now, and what it has seen.
 */
typedef struct {
  /**
   * sizeof(sansip_stats).
   */
  uint32_t size;
  /**
   * Live calls.
   */
  uint32_t calls;
  /**
   * Live lines.
   */
  uint32_t lines;
  /**
   * Live dialogs.
   */
  uint32_t dialogs;
  /**
   * Live transactions.
   */
  uint32_t transactions;
  /**
   * Requests on their way.
   */
  uint32_t attempts;
  /**
   * Requests that the proxy and the registrar work on.
   */
  uint32_t forks;
  /**
   * Armed timers.
   */
  uint32_t timers;
  /**
   * Open questions.
   */
  uint32_t queries;
  /**
   * Open connections.
   */
  uint32_t flows;
  /**
   * Waiting outputs.
   */
  uint32_t outputs;
  /**
   * Held blocks; a line holds one.
   */
  uint32_t blocks;
  /**
   * Bytes of the pool that are held.
   */
  uint64_t pool_bytes;
  /**
   * Messages received.
   */
  uint64_t received;
  /**
   * Of those, ignored.
   */
  uint64_t ignored;
  /**
   * Requests refused with 503 because a table was full.
   */
  uint64_t refused_full;
  /**
   * REFERs that wait, or whose subscription goes on.
   */
  uint32_t transfers;
  /**
   * 0.
   */
  uint32_t reserved;
} sansip_stats;

/**
 * A line: an address of record that the user agent serves.
 */
typedef struct {
  /**
   * sizeof(sansip_line_config).
   */
  uint32_t size;
  /**
   * The identity that it uses; 0 picks one by transport.
   */
  uint32_t local;
  /**
   * How long a registration shall last, in seconds; 0: 3600.
   */
  uint32_t expires_s;
  /**
   * Not 0: it takes requests whose Request-URI no line has. Else those get 404.
   */
  uint32_t any;
  /**
   * The address of record: a sip: or sips: URI.
   */
  sansip_str aor;
  /**
   * The display name; empty for none.
   */
  sansip_str display;
  /**
   * Where its requests outside dialogs go: a URI; empty sends them by their Request-URI.
   */
  sansip_str proxy;
  /**
   * Your own number, given back in its events.
   */
  uint64_t user;
  /**
   * The user name that challenges are answered with; empty: the user part of the address of
   * record.
   */
  sansip_str auth_user;
  /**
   * The only realm whose challenges are answered; empty: any, which SANSIP_Q_CREDENTIALS decides.
   */
  sansip_str auth_realm;
  /**
   * Not 0: a challenge in a dialog is answered whoever sends it. Else only peers are that have
   * challenged the line outside a dialog, for the same realm.
   */
  uint32_t auth_peers;
  /**
   * 0.
   */
  uint32_t reserved;
  /**
   * The device that it is on, as a URN: urn:uuid:... With it the line registers as that instance,
   * and a public GRUU that it gets is its Contact in dialogs (RFC 5627). Empty for none.
   */
  sansip_str instance;
} sansip_line_config;

/**
 * A header field.
 */
typedef struct {
  /**
   * Its name.
   */
  sansip_str name;
  /**
   * Its value.
   */
  sansip_str value;
} sansip_field;

/**
 * A format of a stream. telephone-event (RFC 4733) is a codec like any other.
 */
typedef struct {
  /**
   * Encoding name, "PCMU"; where the transport is not RTP, the format as it stands in the m=
   * line.
   */
  sansip_str name;
  /**
   * Its parameters, what follows the format in a=fmtp; empty for none.
   */
  sansip_str fmtp;
  /**
   * Clock rate in hertz, not 0; unused where the transport is not RTP.
   */
  uint32_t clock;
  /**
   * Payload type, 0 to 127; unused where the transport is not RTP.
   */
  uint8_t payload;
  /**
   * Channels; 0 and 1 are one.
   */
  uint8_t channels;
  /**
   * 0.
   */
  uint16_t reserved;
} sansip_codec;

/**
 * A stream that a call can have on our side.
 */
typedef struct {
  /**
   * sizeof(sansip_stream).
   */
  uint32_t size;
  /**
   * SANSIP_KIND_...; 0: audio.
   */
  uint32_t kind;
  /**
   * SANSIP_SENDRECV and so on: what we want to do; 0: both ways.
   */
  uint32_t direction;
  /**
   * Kilobits a second, b=AS; 0: nothing is said.
   */
  uint32_t bandwidth;
  /**
   * Where we receive, not 0. It tells the stream from others of its kind as long as it lives.
   */
  uint16_t port;
  /**
   * Milliseconds of sound that we would like in a packet; 0: nothing is said.
   */
  uint16_t ptime_ms;
  /**
   * 0.
   */
  uint32_t reserved;
  /**
   * RTP/AVP, RTP/SAVP, udptl, TCP/MSRP or another; empty: RTP/AVP.
   */
  sansip_str transport;
  /**
   * The value of an a=crypto attribute with our key (RFC 4568 9.1); empty for none. With RTP/SAVP
   * the stream is always encrypted, with RTP/AVP where the peer can.
   */
  sansip_str crypto;
  /**
   * What it can carry, in order of preference.
   */
  const sansip_codec *codecs;
  /**
   * How many, 1 to 32; at most 256 in all streams together.
   */
  size_t n_codecs;
} sansip_stream;

/**
 * All the media that a call can have on our side. The engine makes offers and answers of it.
 */
typedef struct {
  /**
   * sizeof(sansip_media).
   */
  uint32_t size;
  /**
   * Kilobits a second of the session, b=AS; 0: nothing is said.
   */
  uint32_t bandwidth;
  /**
   * Where we receive; its port does not matter.
   */
  sansip_addr address;
  /**
   * The streams.
   */
  const sansip_stream *streams;
  /**
   * How many, at most 64. None is a call without media.
   */
  size_t n_streams;
} sansip_media;

/**
 * What a function that sends may add to its message. NULL in its place adds nothing.
 */
typedef struct {
  /**
   * sizeof(sansip_extras).
   */
  uint32_t size;
  /**
   * 0.
   */
  uint32_t reserved;
  /**
   * Header fields. One whose value holds CR, LF or another control byte is
   * SANSIP_E_BAD_HEADER.
   */
  const sansip_field *fields;
  /**
   * How many, at most 32.
   */
  size_t n_fields;
  /**
   * The body's Content-Type; needed with a body.
   */
  sansip_str content_type;
  /**
   * The body.
   */
  sansip_bytes body;
  /**
   * The call's media in place of a body, kept for all its offers and answers; NULL: what the call
   * has, or SANSIP_Q_MEDIA asks for it. Media that is not usable, or a body beside it, is
   * SANSIP_E_MEDIA.
   */
  const sansip_media *media;
} sansip_extras;

/**
 * What a call has to do with others.
 */
typedef struct {
  /**
   * sizeof(sansip_call_info).
   */
  uint32_t size;
  /**
   * Not 0: the peer is the focus of a conference (RFC 4579).
   */
  uint32_t focus;
  /**
   * Its line, 0 if there is none.
   */
  sansip_line line;
  /**
   * Your own number of the call.
   */
  uint64_t user;
  /**
   * The call whose place it takes once it is answered (RFC 3891), 0 if there is none.
   */
  sansip_call replaces;
  /**
   * The call that it wants to be mixed with (RFC 3911), 0 if there is none.
   */
  sansip_call joins;
} SansipCallInfo;

/**
 * A target of a request that the proxy forwards.
 */
typedef struct {
  /**
   * The new Request-URI; empty keeps the one that came.
   */
  sansip_str uri;
  /**
   * Where to send it in spite of its Request-URI: a URI; empty for none.
   */
  sansip_str next_hop;
  /**
   * Routes that the request gets before its own, as one Route field lists them (RFC 3327); empty
   * for none.
   */
  sansip_str path;
  /**
   * The parameters of its Contact: what it can do (RFC 3840), for the caller's preferences (RFC
   * 3841), and which device it is. Empty for one that says nothing.
   */
  sansip_str params;
  /**
   * Preference, 0 to 1000, higher first.
   */
  uint32_t q;
  /**
   * 0.
   */
  uint32_t reserved;
} sansip_target;

/**
 * What a line does with calls before a person does, and how its own go on when they are
 * redirected. All 0: everything is left to the person. Of several that apply to a call the first
 * of this order acts: refusing anonymous calls, `always`, do-not-disturb, being busy, answering,
 * `no_answer`.
 */
typedef struct {
  /**
   * sizeof(sansip_policy).
   */
  uint32_t size;
  /**
   * After how many seconds nobody has answered; 0: 20.
   */
  uint32_t no_answer_after_s;
  /**
   * Where every call is forwarded to by a 302: a URI; empty for nowhere.
   */
  sansip_str always;
  /**
   * Where calls are forwarded to while the line is busy; empty for nowhere (486).
   */
  sansip_str busy;
  /**
   * Where calls are forwarded to that nobody answers; empty for nowhere.
   */
  sansip_str no_answer;
  /**
   * Where calls are forwarded to while `dnd` is set; empty refuses them.
   */
  sansip_str dnd_to;
  /**
   * Not 0: do not disturb.
   */
  uint32_t dnd;
  /**
   * The status of that refusal, 400 to 699; 0: 480.
   */
  uint32_t dnd_status;
  /**
   * The status of a person's sansip_reject that names none, 400 to 699; 0: 486.
   */
  uint32_t refuse_status;
  /**
   * Not 0: the line is busy while it has a call.
   */
  uint32_t no_waiting;
  /**
   * The line is busy while it has so many calls; 0: no bound.
   */
  uint32_t calls;
  /**
   * Not 0: the engine itself answers 180.
   */
  uint32_t ring;
  /**
   * SANSIP_FOLLOW_...
   */
  uint32_t follow;
  /**
   * To how many targets a redirected call goes on at most; 0: 5, and 16 is the most.
   */
  uint32_t targets;
  /**
   * How many redirections may follow one another; 0: 5.
   */
  uint32_t depth;
  /**
   * SANSIP_AUTO_ANSWER_...
   */
  uint32_t auto_answer;
  /**
   * Not 0: calls without the caller's identity are refused with 433 (RFC 5079).
   */
  uint32_t refuse_anonymous;
  /**
   * Not 0: the line's own calls keep its identity back (RFC 3323, RFC 3325). A call's own Privacy
   * field comes first: id or user keep it back, none shows it.
   */
  uint32_t anonymous;
  /**
   * Not 0: the line's own calls tell where they have been (History-Info, RFC 7044).
   */
  uint32_t history;
  /**
   * 0.
   */
  uint32_t reserved;
} SansipPolicy;

/**
 * A message. It points into the bytes that it was read from.
 */
typedef struct {
  /**
   * sizeof(sansip_msg).
   */
  uint32_t size;
  /**
   * The status, 100 to 699; 0 for a request, and for a status that is none.
   */
  uint32_t status;
  /**
   * 1 for a request, 0 for a response.
   */
  uint32_t is_request;
  /**
   * How many defects the parser listed; 0 from sansip_read, which looks for none.
   */
  uint32_t n_defects;
  /**
   * How many header fields it has.
   */
  uint32_t n_fields;
  /**
   * 0.
   */
  uint32_t reserved;
  /**
   * How many of the bytes given belong to it, empty lines before it included.
   */
  size_t consumed;
  /**
   * The method as it is written; empty for a response.
   */
  sansip_str method;
  /**
   * The request URI; empty for a response.
   */
  sansip_str uri;
  /**
   * The reason phrase; empty for a request.
   */
  sansip_str reason;
  /**
   * The body.
   */
  sansip_bytes body;
  /**
   * The message, from its start line to the end of its body.
   */
  sansip_bytes raw;
} sansip_msg;

/**
 * What is wrong with a message. Its texts live for ever.
 */
typedef struct {
  /**
   * sizeof(sansip_defect).
   */
  uint32_t size;
  /**
   * Its kind: a stable number, 1 being the weightiest.
   */
  uint32_t kind;
  /**
   * The status that a request earns by it where it is refused.
   */
  uint32_t status;
  /**
   * Where in the message.
   */
  uint32_t at;
  /**
   * How many bytes from there.
   */
  uint32_t length;
  /**
   * 0.
   */
  uint32_t reserved;
  /**
   * The clause that it breaks.
   */
  sansip_str clause;
  /**
   * What it is, in words.
   */
  sansip_str text;
  /**
   * The field it is in, as the library spells it; empty for the start line, the body and
   * unknown fields.
   */
  sansip_str field;
} sansip_defect;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The name of a number that a function returned, "SANSIP_E_GONE" for -1; "SANSIP_?" for a number
 * that no function returns. The text lives for ever.
 */
const char *sansip_error_name(int32_t code);

/**
 * The version of the library, "0.1.0". The text lives for ever.
 */
const char *sansip_version(void);

/**
 * The room of a phone on a part with little memory: 1 line, 2 calls, messages of 1,500 bytes.
 * Set out->size first.
 */
int32_t sansip_limits_tiny(sansip_limits *out);

/**
 * The room of a desk phone: 4 lines, 4 calls, messages of 4 KB. Set out->size first.
 */
int32_t sansip_limits_phone(sansip_limits *out);

/**
 * The room of a proxy, registrar or gateway: 10,000 calls. Set out->size first.
 */
int32_t sansip_limits_server(sansip_limits *out);

/**
 * The room of a tester: 100 lines and calls, messages of any size. Set out->size first.
 */
int32_t sansip_limits_tester(sansip_limits *out);

/**
 * The bytes that sansip_new needs for an engine with these limits, before any is taken; 0 if the
 * limits cannot be read. 256 bytes for the texts and lists of sansip_config are included; what
 * those are longer comes on top.
 */
size_t sansip_footprint(const sansip_limits *limits);

/**
 * The defaults, written out: all roles, the timers of RFC 3261, no seed. Set out->size first, and
 * out->seed afterwards.
 */
int32_t sansip_config_init(sansip_config *out);

/**
 * Makes an engine. With `memory`, all its bytes lie in the `n` bytes there (sansip_footprint says
 * how many it takes; any alignment will do) and it takes no others; they are yours again after
 * sansip_free. With NULL it takes the system's memory, all of it now.
 *
 * Errors: SANSIP_E_FULL_MEMORY, SANSIP_E_ZERO_SEED, SANSIP_E_BAD_LIMIT.
 */
int32_t sansip_new(const sansip_config *config,
                   const sansip_limits *limits,
                   void *memory,
                   size_t n,
                   sansip_engine **out);

/**
 * Ends an engine: what sansip_poll lent ends with it, and no peer is told. NULL is nothing.
 */
void sansip_free(sansip_engine *engine);

/**
 * Sets the identity `number` (1 to 65535) of this side, new or in place of an old one. Queues
 * nothing. Errors: SANSIP_E_LOCAL, SANSIP_E_FULL_LOCALS.
 */
int32_t sansip_set_local(sansip_engine *engine,
                         uint64_t now_ms,
                         uint32_t number,
                         const sansip_local *entry);

/**
 * A whole message: a datagram, or one that you have framed yourself (path->flow set). May queue
 * output.
 *
 * Returns 0 if it was used, SANSIP_IGNORED_... if nothing was done with it. Errors:
 * SANSIP_E_FULL_... (it was not taken: packet loss), SANSIP_E_LOCAL, SANSIP_E_FLOW.
 */
int32_t sansip_receive(sansip_engine *engine,
                       uint64_t now_ms,
                       const sansip_path *path,
                       const void *p,
                       size_t n);

/**
 * Bytes of a stream. `taken` says how many of them were taken: keep the rest and present it again
 * with more. None taken while output waits: poll first. May queue output.
 *
 * Errors: SANSIP_E_FULL_... (poll, then present them again), SANSIP_E_FLOW.
 */
int32_t sansip_receive_stream(sansip_engine *engine,
                              uint64_t now_ms,
                              sansip_flow flow,
                              const void *p,
                              size_t n,
                              size_t *taken);

/**
 * A connection has opened, accepted or asked for. Queues nothing.
 * Errors: SANSIP_E_FLOW, SANSIP_E_LOCAL, SANSIP_E_FULL_FLOWS.
 */
int32_t sansip_flow_opened(sansip_engine *engine,
                           uint64_t now_ms,
                           sansip_flow flow,
                           const sansip_flow_info *info);

/**
 * A connection has ended; `why` is SANSIP_FLOW_..., 0: closed. May queue output.
 * Errors: SANSIP_E_GONE.
 */
int32_t sansip_flow_closed(sansip_engine *engine, uint64_t now_ms, sansip_flow flow, uint32_t why);

/**
 * What was lent with this send id could not be sent; `why` is SANSIP_SEND_..., 0: other. May queue
 * output.
 */
int32_t sansip_send_failed(sansip_engine *engine,
                           uint64_t now_ms,
                           sansip_send_id send,
                           uint32_t why);

/**
 * The clock has come to sansip_next_timeout; earlier it does nothing. May queue output.
 */
int32_t sansip_handle_timeout(sansip_engine *engine, uint64_t now_ms);

/**
 * When sansip_handle_timeout is due: now while output waits, SANSIP_NEVER if nothing is pending.
 */
int32_t sansip_next_timeout(const sansip_engine *engine, uint64_t *at_ms);

/**
 * How many milliseconds to sleep, for poll(2) and its like: 0 if something is due, at most `most`
 * (if that is not negative), -1 for as long as you like. 0 also if the engine cannot be used.
 */
int32_t sansip_wait_ms(const sansip_engine *engine, uint64_t now_ms, int32_t most);

/**
 * The next output, or NULL if there is none. It and all that it points to live until the next
 * sansip_poll on this engine. Only removes; bounded by the bytes of one message.
 */
const sansip_output *sansip_poll(sansip_engine *engine);

/**
 * Copies the request that waits for its answer, as it came, to `buffer`. `length` says its bytes,
 * also if the buffer is too short for them.
 *
 * Returns SANSIP_NOT_FOUND once it is answered or gone. Errors: SANSIP_E_BUFFER.
 */
int32_t sansip_message(const sansip_engine *engine,
                       sansip_request request,
                       void *buffer,
                       size_t room,
                       size_t *length);

/**
 * Live counts and totals. Set out->size first.
 */
int32_t sansip_read_stats(const sansip_engine *engine, sansip_stats *out);

/**
 * 1 if nothing lives: no call, dialog, transaction, timer, question or waiting output (lines and
 * open connections do not count), else 0.
 */
int32_t sansip_is_quiescent(const sansip_engine *engine);

/**
 * Adds a line. Queues nothing.
 * Errors: SANSIP_E_FULL_LINES, SANSIP_E_FULL_BLOCKS, SANSIP_E_BAD_URI, SANSIP_E_BAD_HEADER.
 */
int32_t sansip_line_add(sansip_engine *engine,
                        uint64_t now_ms,
                        const sansip_line_config *config,
                        sansip_line *out);

/**
 * Takes a line out; its calls go on. Unregister it first. May queue output.
 * Errors: SANSIP_E_GONE, SANSIP_E_FULL_...
 */
int32_t sansip_line_remove(sansip_engine *engine, uint64_t now_ms, sansip_line line);

/**
 * Registers a line and keeps it registered (RFC 3261 10.2). May queue output.
 * Errors: SANSIP_E_GONE, SANSIP_E_FULL_..., SANSIP_E_STATE.
 */
int32_t sansip_register(sansip_engine *engine, uint64_t now_ms, sansip_line line);

/**
 * Ends a line's registration (RFC 3261 10.2.2). May queue output.
 * Errors: SANSIP_E_GONE, SANSIP_E_FULL_..., SANSIP_E_STATE.
 */
int32_t sansip_unregister(sansip_engine *engine, uint64_t now_ms, sansip_line line);

/**
 * Calls `target`, a sip: or sips: URI (RFC 3261 13.2). `user` comes back in the call's events. May
 * queue output.
 * Errors: SANSIP_E_GONE, SANSIP_E_FULL_..., SANSIP_E_BAD_URI, SANSIP_E_BAD_HEADER.
 */
int32_t sansip_invite(sansip_engine *engine,
                      uint64_t now_ms,
                      sansip_line line,
                      sansip_str target,
                      uint64_t user,
                      const sansip_extras *extras,
                      sansip_call *out);

/**
 * Sends a provisional response to an incoming call, 101 to 199. May queue output.
 * Errors: SANSIP_E_GONE, SANSIP_E_LATE, SANSIP_E_STATE, SANSIP_E_BAD_STATUS, SANSIP_E_BAD_HEADER,
 * SANSIP_E_FULL_...
 */
int32_t sansip_ring(sansip_engine *engine,
                    uint64_t now_ms,
                    sansip_call call,
                    uint32_t status,
                    const sansip_extras *extras);

/**
 * Answers a call or a re-INVITE with 200. May queue output.
 * Errors: SANSIP_E_GONE, SANSIP_E_LATE, SANSIP_E_STATE, SANSIP_E_BAD_HEADER, SANSIP_E_FULL_...
 */
int32_t sansip_answer_call(sansip_engine *engine,
                           uint64_t now_ms,
                           sansip_call call,
                           const sansip_extras *extras);

/**
 * Refuses a call or a re-INVITE, 300 to 699; 0 as the line's policy says, else 486. May queue output.
 * Errors: SANSIP_E_GONE, SANSIP_E_LATE, SANSIP_E_STATE, SANSIP_E_BAD_STATUS, SANSIP_E_BAD_HEADER,
 * SANSIP_E_FULL_...
 */
int32_t sansip_reject(sansip_engine *engine,
                      uint64_t now_ms,
                      sansip_call call,
                      uint32_t status,
                      const sansip_extras *extras);

/**
 * Sends the caller elsewhere: a 3xx with the URI `contact` as its Contact. May queue output.
 * Errors: SANSIP_E_GONE, SANSIP_E_LATE, SANSIP_E_STATE, SANSIP_E_BAD_STATUS, SANSIP_E_BAD_URI,
 * SANSIP_E_BAD_HEADER, SANSIP_E_FULL_...
 */
int32_t sansip_redirect(sansip_engine *engine,
                        uint64_t now_ms,
                        sansip_call call,
                        uint32_t status,
                        sansip_str contact,
                        const sansip_extras *extras);

/**
 * Hangs up: CANCEL, BYE or a refusal, whatever the call's state asks for. Never
 * SANSIP_E_FULL_... May queue output. Errors: SANSIP_E_GONE.
 */
int32_t sansip_hangup(sansip_engine *engine, uint64_t now_ms, sansip_call call);

/**
 * Changes the session by a re-INVITE (RFC 3261 14.1). May queue output.
 * Errors: SANSIP_E_GONE, SANSIP_E_LATE, SANSIP_E_STATE, SANSIP_E_BAD_HEADER, SANSIP_E_FULL_...
 */
int32_t sansip_reinvite(sansip_engine *engine,
                        uint64_t now_ms,
                        sansip_call call,
                        const sansip_extras *extras);

/**
 * Sends an UPDATE (RFC 3311 5.1), before the call is answered too. A From among the fields becomes
 * our identity in the call, if the peer supports that. May queue output.
 * Errors: SANSIP_E_GONE, SANSIP_E_LATE, SANSIP_E_STATE, SANSIP_E_BAD_HEADER, SANSIP_E_FULL_...
 */
int32_t sansip_update(sansip_engine *engine,
                      uint64_t now_ms,
                      sansip_call call,
                      const sansip_extras *extras);

/**
 * Asks the peer to call `target` in our place: a blind transfer (RFC 3515, RFC 5589). The call
 * ends as the config's transferor_leaves says; with `keep` not 0 it stays: so the focus of a
 * conference is asked to invite somebody. Its progress: SANSIP_EV_CALL_TRANSFER and
 * SANSIP_EV_CALL_TRANSFERRED. May queue output.
 * Errors: SANSIP_E_GONE, SANSIP_E_LATE, SANSIP_E_STATE, SANSIP_E_BAD_URI, SANSIP_E_BAD_HEADER,
 * SANSIP_E_FULL_...
 */
int32_t sansip_transfer(sansip_engine *engine,
                        uint64_t now_ms,
                        sansip_call call,
                        sansip_str target,
                        uint32_t keep,
                        const sansip_extras *extras);

/**
 * Asks the peer of `call` to take our place in `other`: an attended transfer (RFC 3891, RFC
 * 5589). While `other` rings, the config's transfer_ringing says what happens. May queue output.
 * Errors: SANSIP_E_GONE, SANSIP_E_LATE, SANSIP_E_STATE, SANSIP_E_BAD_HEADER, SANSIP_E_FULL_...
 */
int32_t sansip_transfer_to(sansip_engine *engine,
                           uint64_t now_ms,
                           sansip_call call,
                           sansip_call other,
                           const sansip_extras *extras);

/**
 * Places the call that SANSIP_EV_TRANSFER asks for, and tells the peer how it goes. May queue
 * output.
 * Errors: SANSIP_E_GONE, SANSIP_E_LATE, SANSIP_E_BAD_HEADER, SANSIP_E_FULL_...
 */
int32_t sansip_accept_transfer(sansip_engine *engine,
                               uint64_t now_ms,
                               sansip_request request,
                               uint64_t user,
                               const sansip_extras *extras,
                               sansip_call *out);

/**
 * Refuses what SANSIP_EV_TRANSFER asks for, 300 to 699. May queue output.
 * Errors: SANSIP_E_GONE, SANSIP_E_LATE, SANSIP_E_BAD_STATUS, SANSIP_E_FULL_...
 */
int32_t sansip_reject_transfer(sansip_engine *engine,
                               uint64_t now_ms,
                               sansip_request request,
                               uint32_t status);

/**
 * What a call has to do with others. Set out->size first. Returns SANSIP_NOT_FOUND once the call
 * has ended.
 */
int32_t sansip_call_info(const sansip_engine *engine, sansip_call call, SansipCallInfo *out);

/**
 * Puts the peer of an answered call on hold (RFC 3264 8.4). May queue output.
 * Errors: SANSIP_E_GONE, SANSIP_E_LATE, SANSIP_E_STATE, SANSIP_E_MEDIA, SANSIP_E_FULL_...
 */
int32_t sansip_hold(sansip_engine *engine, uint64_t now_ms, sansip_call call);

/**
 * Ends the hold of a call (RFC 3264 8.4). May queue output.
 * Errors: SANSIP_E_GONE, SANSIP_E_LATE, SANSIP_E_STATE, SANSIP_E_MEDIA, SANSIP_E_FULL_...
 */
int32_t sansip_resume(sansip_engine *engine, uint64_t now_ms, sansip_call call);

/**
 * Asks `target`, a sip: or sips: URI, to call `to`, in a REFER outside calls (RFC 3515 2.4).
 * SANSIP_EV_REFER_PROGRESS and SANSIP_EV_REFER_ENDED tell how it goes and give `user` back. May queue
 * output.
 * Errors: SANSIP_E_GONE, SANSIP_E_FULL_..., SANSIP_E_BAD_URI, SANSIP_E_BAD_HEADER.
 */
int32_t sansip_refer(sansip_engine *engine,
                     uint64_t now_ms,
                     sansip_line line,
                     sansip_str target,
                     sansip_str to,
                     uint64_t user,
                     const sansip_extras *extras);

/**
 * Asks `target`, a sip: or sips: URI, what it can do, as a line or (0) as the engine itself (RFC 3261
 * 11.1). SANSIP_EV_ANSWERED tells the answer and gives `user` back. May queue output.
 * Errors: SANSIP_E_GONE, SANSIP_E_FULL_..., SANSIP_E_BAD_URI, SANSIP_E_BAD_HEADER.
 */
int32_t sansip_options(sansip_engine *engine,
                       uint64_t now_ms,
                       sansip_line line,
                       sansip_str target,
                       uint64_t user,
                       const sansip_extras *extras);

/**
 * Answers a request that SANSIP_EV_REQUEST brought, 100 to 699. May queue output.
 * Errors: SANSIP_E_GONE, SANSIP_E_LATE, SANSIP_E_BAD_STATUS, SANSIP_E_BAD_HEADER,
 * SANSIP_E_FULL_...
 */
int32_t sansip_respond(sansip_engine *engine,
                       uint64_t now_ms,
                       sansip_request request,
                       uint32_t status,
                       const sansip_extras *extras);

/**
 * Adds targets, at most 32, to a request that the proxy is forwarding, which SANSIP_Q_ROUTE or
 * SANSIP_Q_LOCATE has asked about (RFC 3261 16.5): a device that has registered since, or was woken
 * first (RFC 8599). They take their places by q; a URI that was named before is not tried again. With
 * `more` not 0 the request stays open: when nothing is left to try, SANSIP_EV_EXHAUSTED tells so and
 * it waits for others; say it before the question is answered, without targets, where that may be so
 * from the start. May queue output.
 * Errors: SANSIP_E_GONE, SANSIP_E_LATE, SANSIP_E_STATE, SANSIP_E_BAD_URI, SANSIP_E_FULL_...
 */
int32_t sansip_add_targets(sansip_engine *engine,
                           uint64_t now_ms,
                           sansip_request request,
                           const sansip_target *targets,
                           size_t n,
                           uint32_t more);

/**
 * Sends these bytes, whatever they are. May queue output.
 * Errors: SANSIP_E_LOCAL, SANSIP_E_FULL_...
 */
int32_t sansip_send(sansip_engine *engine,
                    uint64_t now_ms,
                    const sansip_path *path,
                    const void *p,
                    size_t n);

/**
 * Lets what goes on come to its end, and refuses what is new with 503; go on until
 * sansip_is_quiescent.
 */
int32_t sansip_drain(sansip_engine *engine, uint64_t now_ms);

/**
 * Ends all calls and registrations. May queue output; go on until sansip_is_quiescent.
 */
int32_t sansip_shutdown(sansip_engine *engine, uint64_t now_ms);

/**
 * Sets what a line does with calls that begin from now on, in place of what was set before. Queues
 * nothing.
 * Errors: SANSIP_E_GONE, SANSIP_E_BAD_URI, SANSIP_E_BAD_STATUS, SANSIP_E_BAD_LIMIT,
 * SANSIP_E_FULL_BLOCKS.
 */
int32_t sansip_set_policy(sansip_engine *engine,
                          uint64_t now_ms,
                          sansip_line line,
                          const SansipPolicy *policy);

/**
 * Lets a call go on that SANSIP_EV_CALL_REDIRECTED tells of and whose line's policy asks: to this
 * Contact of the response, or to the best if `target` is empty. May queue output.
 * Errors: SANSIP_E_GONE, SANSIP_E_LATE, SANSIP_E_STATE, SANSIP_E_BAD_URI, SANSIP_E_FULL_...
 */
int32_t sansip_follow(sansip_engine *engine, uint64_t now_ms, sansip_call call, sansip_str target);

/**
 * To SANSIP_Q_DNS: the addresses, best first (at most 16; ports do not matter), and for how many
 * seconds they hold. May queue output.
 */
int32_t sansip_answer_addresses(sansip_engine *engine,
                                uint64_t now_ms,
                                sansip_query query,
                                const sansip_addr *addrs,
                                size_t n,
                                uint32_t ttl_s);

/**
 * To SANSIP_Q_DNS: the name has no addresses. To SANSIP_Q_LOCATE: there is no such address of
 * record. To SANSIP_Q_MEDIA: none. To SANSIP_Q_CREDENTIALS: no such user, or none by this
 * algorithm. May queue output.
 */
int32_t sansip_answer_not_found(sansip_engine *engine, uint64_t now_ms, sansip_query query);

/**
 * To any question: it could not be done. May queue output.
 */
int32_t sansip_answer_failed(sansip_engine *engine, uint64_t now_ms, sansip_query query);

/**
 * To SANSIP_Q_CONNECT: this connection, reported by sansip_flow_opened before. May queue output.
 * Errors: SANSIP_E_FLOW.
 */
int32_t sansip_answer_connected(sansip_engine *engine,
                                uint64_t now_ms,
                                sansip_query query,
                                sansip_flow flow);

/**
 * To SANSIP_Q_ROUTE: try these targets, at most 32; none is 404. May queue output.
 */
int32_t sansip_answer_route(sansip_engine *engine,
                            uint64_t now_ms,
                            sansip_query query,
                            const sansip_target *targets,
                            size_t n);

/**
 * To SANSIP_Q_ROUTE: refuse the request with this status, 300 to 699. May queue output.
 * Errors: SANSIP_E_BAD_STATUS.
 */
int32_t sansip_answer_reject(sansip_engine *engine,
                             uint64_t now_ms,
                             sansip_query query,
                             uint32_t status);

/**
 * To SANSIP_Q_LOCATE: the bindings that have not expired, at most 32, and their version, which
 * SANSIP_Q_STORE will name. May queue output.
 */
int32_t sansip_answer_located(sansip_engine *engine,
                              uint64_t now_ms,
                              sansip_query query,
                              uint64_t version,
                              const sansip_binding *bindings,
                              size_t n);

/**
 * To SANSIP_Q_STORE: done. May queue output.
 */
int32_t sansip_answer_stored(sansip_engine *engine, uint64_t now_ms, sansip_query query);

/**
 * To SANSIP_Q_STORE: the version is not the one named; the engine asks again. May queue output.
 */
int32_t sansip_answer_conflict(sansip_engine *engine, uint64_t now_ms, sansip_query query);

/**
 * To SANSIP_Q_MEDIA: all that the call can have on our side; kept for all its offers and answers.
 * May queue output. Errors: SANSIP_E_MEDIA.
 */
int32_t sansip_answer_media(sansip_engine *engine,
                            uint64_t now_ms,
                            sansip_query query,
                            const sansip_media *media);

/**
 * To SANSIP_Q_MEDIA: a session description of your own, an offer or the answer to the peer's. May
 * queue output. Errors: SANSIP_E_MEDIA.
 */
int32_t sansip_answer_description(sansip_engine *engine,
                                  uint64_t now_ms,
                                  sansip_query query,
                                  sansip_str description);

/**
 * To SANSIP_Q_CREDENTIALS: the password. May queue output.
 */
int32_t sansip_answer_password(sansip_engine *engine,
                               uint64_t now_ms,
                               sansip_query query,
                               sansip_str password);

/**
 * To SANSIP_Q_CREDENTIALS: HA1 in hexadecimal, the hash of user:realm:password by the algorithm
 * that was asked for. May queue output.
 */
int32_t sansip_answer_ha1(sansip_engine *engine,
                          uint64_t now_ms,
                          sansip_query query,
                          sansip_str ha1);

/**
 * Reads a message that was checked before, such as one of an event, or one of which defects do not
 * matter: its body is all that follows the header section. Takes no memory; linear in the bytes.
 * Set out->size first. `out` points into the bytes given.
 *
 * Returns SANSIP_IGNORED_NOT_SIP if it is none, SANSIP_IGNORED_KEEPALIVE for line ends alone.
 */
int32_t sansip_read(const void *p, size_t n, sansip_msg *out);

/**
 * The value of the `nth` header field (from 0) with this name in a message: in full or compact
 * form, without regard to case. Takes no memory; linear in the bytes. `value` points into the
 * bytes given.
 *
 * Returns SANSIP_NOT_FOUND if there are not so many, SANSIP_IGNORED_... as sansip_read does.
 */
int32_t sansip_header(const void *p, size_t n, sansip_str name, uint32_t nth, sansip_str *value);

/**
 * The bytes that sansip_parser_new needs with these limits (NULL: the default ones); 0 if they
 * cannot be read.
 */
size_t sansip_parser_footprint(const sansip_limits *limits);

/**
 * Makes a parser for messages within these limits; NULL: the default ones. Over a limit a message
 * is parsed as far as it goes, and has a defect. `memory` is as for sansip_new.
 * Errors: SANSIP_E_FULL_MEMORY.
 */
int32_t sansip_parser_new(const sansip_limits *limits, void *memory, size_t n, sansip_parser **out);

/**
 * Ends a parser. NULL is nothing.
 */
void sansip_parser_free(sansip_parser *parser);

/**
 * Parses a message: whatever its content, what departs from the RFCs is listed as a defect.
 * `framing` is SANSIP_DATAGRAM (0: that) or SANSIP_STREAM. Set out->size first. `out` and the
 * fields point into the bytes given; they and the defects can be read until the next sansip_parse
 * with this parser. Linear in the bytes.
 *
 * Returns SANSIP_IGNORED_NOT_SIP if it is no SIP message, SANSIP_IGNORED_KEEPALIVE for line ends
 * alone.
 */
int32_t sansip_parse(sansip_parser *parser,
                     const void *p,
                     size_t n,
                     uint32_t framing,
                     sansip_msg *out);

/**
 * The `i`th header field (from 0) of the message last parsed, in the order of the message. Lives
 * as long as the bytes that were parsed. Returns SANSIP_NOT_FOUND if there are not so many.
 */
int32_t sansip_field_at(const sansip_parser *parser, size_t i, sansip_field *out);

/**
 * The `i`th defect (from 0) of the message last parsed. Set out->size first. Returns
 * SANSIP_NOT_FOUND if there are not so many.
 */
int32_t sansip_defect_at(const sansip_parser *parser, size_t i, sansip_defect *out);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* SANSIP_H */
