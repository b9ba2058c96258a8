/* A slave that sends DAQ at a chosen rate, for bench_daq.py.
 *
 * daq_sender udp|tcp RATE MEGABYTES DATAGRAM MAX_DTO LISTS
 *
 * RATE is megabytes a second, 0 = as fast as it goes. LISTS is ODTS:BYTES:WEIGHT,... ; a list is sent
 * every WEIGHT steps. It answers enough of XCP to be set up by a master: then the master's lists
 * count and LISTS gives the weights of the events. START_STOP_SYNCH 1 starts, 0 stops; without a
 * CONNECT before it the stream is closed behind the last byte. Prints its port, and when everything
 * is sent: rows, messages, late milliseconds. Ends when its standard input does.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_LISTS 64
#define MAX_ODTS 256
#define OUT (256 << 10)
#define TICK_NS 100000
#define BATCH 64

typedef struct {
    int odts, weight, event, selected;
    int size[MAX_ODTS]; /* data bytes */
    uint32_t rows;
} List;

static List lists[MAX_LISTS];
static int list_count, weights[MAX_LISTS], weight_count;
static int sock = -1, tcp, datagram, max_dto, connected, running, dynamic;
static double rate;
static uint64_t wanted, sent, step, messages;
static uint16_t counter;
static uint32_t first_tick;
static int64_t started_ns, worst_ns;
static uint32_t rows_sent[MAX_LISTS]; /* also when the lists are gone */
static int at_list, at_odt, at_entry;
static uint8_t out[OUT + 65536];
static size_t filled;
static size_t ends[OUT / 16];
static int end_count;

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void send_all(const uint8_t *data, size_t size) {
    while (size) {
        ssize_t n = send(sock, data, size, 0);
        if (n < 0) {
            if (errno == EINTR) continue;
            exit(0);
        }
        data += n;
        size -= n;
    }
}

static void flush_out(void) {
    if (tcp) {
        send_all(out, filled);
    } else {
        struct mmsghdr calls[BATCH] = {0};
        struct iovec parts[BATCH];
        ends[end_count] = filled;
        for (int at = 0; at < end_count;) {
            int n = 0;
            for (; n < BATCH && at + n < end_count; n++) {
                parts[n].iov_base = out + ends[at + n];
                parts[n].iov_len = ends[at + n + 1] - ends[at + n];
                calls[n].msg_hdr.msg_iov = &parts[n];
                calls[n].msg_hdr.msg_iovlen = 1;
            }
            int done = sendmmsg(sock, calls, n, 0);
            at += done > 0 ? done : 1;
        }
    }
    sent += filled;
    filled = end_count = 0;
}

static void put_message(int odt, int list, const uint8_t *data, int size, int stamp) {
    int length = 2 + (stamp ? 4 : 0) + size;
    if (!tcp && (!end_count || filled + 4 + length > ends[end_count - 1] + datagram))
        ends[end_count++] = filled;
    uint8_t *to = out + filled;
    to[0] = length;
    to[1] = length >> 8;
    to[2] = counter;
    to[3] = counter >> 8;
    counter++;
    to[4] = odt;
    to[5] = list;
    to += 6;
    if (stamp) {
        uint32_t ticks = first_tick + (uint32_t)step * 100;
        memcpy(to, &ticks, 4);
        to += 4;
    }
    memcpy(to, data, size);
    filled += 4 + length;
    messages++;
}

static void put_step(void) {
    static uint8_t data[65536];
    for (int i = 0; i < list_count; i++) {
        List *list = &lists[i];
        int weight = dynamic ? weights[list->event % weight_count] : list->weight;
        if (step % weight) continue;
        memcpy(data, &list->rows, 4);
        for (int odt = 0; odt < list->odts; odt++)
            put_message(odt, i, data, list->size[odt], !odt);
        rows_sent[i] = ++list->rows;
    }
    step++;
}

static void reply(const uint8_t *packet, int size) {
    uint8_t message[300] = {size, 0, counter, counter >> 8};
    counter++;
    memcpy(message + 4, packet, size);
    send_all(message, size + 4);
}

static void start(void) {
    running = 1;
    sent = step = messages = 0;
    worst_ns = 0;
    for (int i = 0; i < list_count; i++) lists[i].rows = rows_sent[i] = 0;
    started_ns = now_ns();
    first_tick = started_ns / 1000;
}

static void answer(const uint8_t *in, int size) {
    uint8_t r[256] = {0xFF};
    int n = 1;
    switch (in[0]) {
    case 0xFF:
        connected = 1;
        running = 0;
        counter = 0;
        memcpy(r + 1, (uint8_t[]){0x04, 0x80, 0xFF, max_dto, max_dto >> 8, 0x01, 0x01}, 7);
        n = 8;
        break;
    case 0xFD: r[1] = running ? 0x40 : 0; n = 6; break; /* DAQ_RUNNING */
    case 0xFB: n = 8; break;
    case 0xDA: /* dynamic, timestamps; relative ODT and list u8 */
        memcpy(r + 1, (uint8_t[]){0x11, 0, 1, weight_count, 0, 0, 0x40}, 7);
        n = 8;
        break;
    case 0xD9: /* entries of up to 248 bytes; 4 bytes of 1 us */
        memcpy(r + 1, (uint8_t[]){1, 248, 1, 248, 0x3C, 1, 0}, 7);
        n = 8;
        break;
    case 0xD7: /* 100 us times the weight */
        memcpy(r + 1, (uint8_t[]){0x04, 0xFF, 0, weights[in[4] % weight_count], 5, 0}, 6);
        n = 7;
        break;
    case 0xDC: {
        uint32_t ticks = now_ns() / 1000;
        memcpy(r + 4, &ticks, 4);
        n = 8;
        break;
    }
    case 0xD6: memset(lists, 0, sizeof lists); list_count = 0; dynamic = 1; break;
    case 0xD5: list_count = in[2] < MAX_LISTS ? in[2] : MAX_LISTS; break;
    case 0xD4: lists[in[2] % MAX_LISTS].odts = in[4]; break;
    case 0xD3: break;
    case 0xE2: at_list = in[2] % MAX_LISTS; at_odt = in[4]; at_entry = in[5]; break;
    case 0xE1: lists[at_list].size[at_odt] += in[2]; break;
    case 0xE0: lists[in[2] % MAX_LISTS].event = in[4]; break;
    case 0xDE: n = 2; break;
    case 0xF1: /* rows of a list */
        memcpy(r + 1, &rows_sent[in[1] % MAX_LISTS], 4);
        n = 5;
        break;
    case 0xDD:
        reply(r, 1);
        if (in[1] == 1) start();
        else running = 0;
        return;
    case 0xFE: break;
    default: r[0] = 0xFE; r[1] = in[0] == 0xFC ? 0x00 : 0x20; n = 2;
    }
    (void)size;
    reply(r, n);
}

static int listen_once(int wait) {
    uint8_t in[4096];
    ssize_t n;
    if (tcp) {
        n = recv(sock, in, sizeof in, wait ? 0 : MSG_DONTWAIT);
        if (n == 0) exit(0);
    } else {
        struct sockaddr_in peer;
        socklen_t length = sizeof peer;
        n = recvfrom(sock, in, sizeof in, wait ? 0 : MSG_DONTWAIT, (struct sockaddr *)&peer, &length);
        if (n > 0) connect(sock, (struct sockaddr *)&peer, length);
    }
    for (ssize_t at = 0; at + 5 <= n;) {
        int size = in[at] | in[at + 1] << 8;
        if (size == 0 || at + 4 + size > n) break;
        answer(in + at + 4, size);
        at += 4 + size;
    }
    return n > 0;
}

static void *wait_for_end(void *unused) {
    (void)unused;
    while (getchar() != EOF) {}
    exit(0);
}

static void run(void) {
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    while (running && sent < wanted) {
        while (listen_once(0) && running) {}
        if (!running) return;
        int64_t late = now_ns() - started_ns - (int64_t)(rate ? sent / rate * 1e3 : 0);
        if (rate && late > worst_ns) worst_ns = late;
        uint64_t target = rate ? (uint64_t)((now_ns() - started_ns) * rate * 1e-3) : sent + OUT;
        while (sent + filled < target && filled < OUT - 65536) put_step();
        if (filled) flush_out();
        if (rate && sent + 65536 >= target) {
            next.tv_nsec += TICK_NS;
            if (next.tv_nsec >= 1000000000) next.tv_nsec -= 1000000000, next.tv_sec++;
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
        }
    }
    if (!running) return;
    running = 0;
    uint64_t rows = 0;
    for (int i = 0; i < list_count; i++) rows += lists[i].rows;
    printf("%llu %llu %.1f\n", (unsigned long long)rows, (unsigned long long)messages,
           worst_ns * 1e-6);
    fflush(stdout);
    if (tcp && !connected) shutdown(sock, SHUT_WR);
}

int main(int argc, char **argv) {
    if (argc != 7) return 2;
    tcp = !strcmp(argv[1], "tcp");
    rate = atof(argv[2]);
    wanted = (uint64_t)(atof(argv[3]) * 1e6);
    datagram = atoi(argv[4]);
    max_dto = atoi(argv[5]);
    for (char *one = strtok(argv[6], ","); one; one = strtok(NULL, ",")) {
        List *list = &lists[list_count++];
        int bytes;
        if (sscanf(one, "%d:%d:%d", &list->odts, &bytes, &list->weight) != 3) return 2;
        for (int odt = 0; odt < list->odts; odt++) list->size[odt] = odt ? bytes : bytes - 4;
        weights[weight_count++] = list->weight;
    }
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof own;
    int first = socket(AF_INET, tcp ? SOCK_STREAM : SOCK_DGRAM, 0), big = 4 << 20, one = 1;
    setsockopt(first, SOL_SOCKET, SO_SNDBUF, &big, sizeof big);
    if (bind(first, (struct sockaddr *)&own, sizeof own)) return 1;
    getsockname(first, (struct sockaddr *)&own, &length);
    if (tcp && listen(first, 1)) return 1;
    printf("%d\n", ntohs(own.sin_port));
    fflush(stdout);
    pthread_t thread;
    pthread_create(&thread, NULL, wait_for_end, NULL);
    sock = tcp ? accept(first, NULL, NULL) : first;
    if (tcp) setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    for (;;) {
        listen_once(1);
        if (running) run();
    }
}
