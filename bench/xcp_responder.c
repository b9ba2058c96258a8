/* A canned XCP slave over UDP for bench_roundtrip.py and bench_upload.py: answers at once, sends DAQ when
 * told to.
 *
 * Usage: xcp_responder DAQ_PER_SECOND DAQ_BYTES [MAX_CTO]; prints its port; ends when its standard input
 * does. Memory holds the low byte of each address; UPLOAD answers in as many packets as it takes.
 * DAQ runs between START_STOP_SYNCH 1 and 0; USER_CMD answers how many DAQ datagrams were sent.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int sock;
static uint16_t counters[65536]; /* one per peer, by its port */
static struct sockaddr_in daq_peer;
static volatile int running;
static uint32_t daq_sent;
static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;

static void put(uint8_t *message, size_t size, const struct sockaddr_in *peer) {
    pthread_mutex_lock(&order);
    uint16_t counter = counters[ntohs(peer->sin_port)]++;
    message[0] = size & 0xFF;
    message[1] = size >> 8;
    message[2] = counter & 0xFF;
    message[3] = counter >> 8;
    sendto(sock, message, size + 4, 0, (const struct sockaddr *)peer, sizeof *peer);
    pthread_mutex_unlock(&order);
}

static int rate, bytes, max_cto = 255;
static uint32_t mta;

static void *daq(void *unused) {
    static uint8_t message[65536];
    struct timespec next;
    (void)unused;
    clock_gettime(CLOCK_MONOTONIC, &next);
    long done = 0, millisecond = 0;
    for (;;) {
        next.tv_nsec += 1000000;
        if (next.tv_nsec >= 1000000000) { next.tv_nsec -= 1000000000; next.tv_sec++; }
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
        if (!running) { done = millisecond = 0; continue; }
        for (millisecond++; done < (long)rate * millisecond / 1000 && running; done++) {
            message[4] = 0;
            put(message, bytes - 4, &daq_peer);
            daq_sent++;
        }
    }
    return NULL;
}

static void *wait_for_end(void *unused) {
    (void)unused;
    while (getchar() != EOF) {}
    exit(0);
}

int main(int argc, char **argv) {
    rate = argc > 1 ? atoi(argv[1]) : 0;
    bytes = argc > 2 ? atoi(argv[2]) : 1400;
    if (argc > 3) max_cto = atoi(argv[3]);
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof own;
    sock = socket(AF_INET, SOCK_DGRAM, 0);
    if (bind(sock, (struct sockaddr *)&own, sizeof own)) return 1;
    getsockname(sock, (struct sockaddr *)&own, &length);
    printf("%d\n", ntohs(own.sin_port));
    fflush(stdout);
    pthread_t thread;
    pthread_create(&thread, NULL, wait_for_end, NULL);
    if (rate) pthread_create(&thread, NULL, daq, NULL);
    for (;;) {
        uint8_t in[2048], out[512] = {0};
        struct sockaddr_in peer;
        length = sizeof peer;
        ssize_t n = recvfrom(sock, in, sizeof in, 0, (struct sockaddr *)&peer, &length);
        if (n < 5) continue;
        size_t size = 1;
        out[4] = 0xFF;
        switch (in[4]) {
        case 0xFF: /* CONNECT: DAQ and CAL, Intel, MAX_CTO 255, MAX_DTO 1468 */
            counters[ntohs(peer.sin_port)] = 0;
            memcpy(out + 5, (uint8_t[]){0x05, 0xC0, max_cto, 0xBC, 0x05, 0x01, 0x01}, 7);
            size = 8;
            break;
        case 0xFD: size = 6; break; /* GET_STATUS */
        case 0xFB: size = 8; break; /* GET_COMM_MODE_INFO */
        case 0xF4: /* SHORT_UPLOAD */
            size = 1 + in[5];
            memset(out + 5, 0x2A, in[5]);
            break;
        case 0xF6: memcpy(&mta, in + 8, 4); break; /* SET_MTA */
        case 0xF5: /* UPLOAD; the last packet goes the common way */
            for (int left = in[5]; left > 0; left -= size - 1) {
                size = 1 + (left < max_cto ? left : max_cto - 1);
                for (size_t i = 1; i < size; i++) out[4 + i] = mta++;
                if (left >= max_cto) {
                    put(out, size, &peer);
                    out[4] = 0xFF;
                }
            }
            break;
        case 0xF1: /* USER_CMD: number of DAQ datagrams */
            memcpy(out + 5, &daq_sent, 4);
            size = 5;
            break;
        case 0xDD: /* START_STOP_SYNCH */
            daq_peer = peer;
            if (in[5] == 1) daq_sent = 0;
            running = in[5] == 1;
            break;
        case 0xFC: out[4] = 0xFE; size = 2; break; /* SYNCH: ERR_CMD_SYNCH */
        case 0xFE: break;
        default: out[4] = 0xFE; out[5] = 0x20; size = 2;
        }
        put(out, size, &peer);
    }
}
