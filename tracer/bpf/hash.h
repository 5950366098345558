/* A hash that the recorded programs can't steer: SipHash-1-3 (Aumasson and Bernstein, 2012) with a secret of each recording.
 * A program that could make two of its names collide would hide one of them. */
#ifndef LEARN_HASH_H
#define LEARN_HASH_H

#include "tasks.h"

#define ROTATE(x, n) (((x) << (n)) | ((x) >> (64 - (n))))
#define ROUND                                                                                                                  \
    do {                                                                                                                       \
        v0 += v1;                                                                                                              \
        v1 = ROTATE(v1, 13) ^ v0;                                                                                              \
        v0 = ROTATE(v0, 32);                                                                                                   \
        v2 += v3;                                                                                                              \
        v3 = ROTATE(v3, 16) ^ v2;                                                                                              \
        v0 += v3;                                                                                                              \
        v3 = ROTATE(v3, 21) ^ v0;                                                                                              \
        v2 += v1;                                                                                                              \
        v1 = ROTATE(v1, 17) ^ v2;                                                                                              \
        v2 = ROTATE(v2, 32);                                                                                                   \
    } while (0)

/* Of the record's words from `from` on, up to `size` bytes; what stands behind the last byte of the last word must be zero. */
GLOBAL __u64 hash(__u32 from, __u32 size) {
    const __u8 *bytes = (const __u8 *)scratch();
    __u64 k0 = settings.seed[0], k1 = settings.seed[1];
    __u64 v0 = k0 ^ 0x736f6d6570736575, v1 = k1 ^ 0x646f72616e646f6d;
    __u64 v2 = k0 ^ 0x6c7967656e657261, v3 = k1 ^ 0x7465646279746573;
    __u64 word;
    __u32 i;

    if (!bytes || from > sizeof(struct learn_record))
        return 0;
    for (i = 0; i < (LEARN_BYTES + sizeof(struct learn_record)) / 8; i++) {
        if (i * 8 >= size)
            break;
        word = *(const __u64 *)(bytes + from + i * 8);
        v3 ^= word;
        ROUND;
        v0 ^= word;
    }
    word = (__u64)size << 32;
    v3 ^= word;
    ROUND;
    v0 ^= word;
    v2 ^= 0xff;
    ROUND;
    ROUND;
    ROUND;
    return v0 ^ v1 ^ v2 ^ v3;
}

#endif
