/* Reads a SIP message and prints one of its header fields. */
#include <stdio.h>
#include <string.h>
#include "sansip.h"

int main(void) {
    static const char bytes[] = "OPTIONS sip:bob@example.com SIP/2.0\r\ni: 4711@pc33\r\n\r\n";
    sansip_str name = {"Call-ID", 7}, value;
    int32_t code = sansip_header(bytes, strlen(bytes), name, 0, &value);
    if (code != 0) return fprintf(stderr, "%s\n", sansip_error_name(code)), 1;
    printf("Call-ID: %.*s\n", (int)value.n, value.p);
    return 0;
}
