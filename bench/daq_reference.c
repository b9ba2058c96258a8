/* What C makes of framed DAQ bytes: the limit that bench_daq.py compares with.
 *
 * Messages (LEN, CTR, packet) of lists with relative ODT number and list number (u8) and a timestamp
 * of four bytes are checked (LEN chain, CTR, ODT order, length) and copied to row-major rings.
 *
 * daq_reference decode FILE ROUNDS LISTS            memory only; prints seconds per round
 * daq_reference memcpy FILE ROUNDS LISTS            the same bytes copied into the same rings
 * daq_reference udp PORT 0 LISTS                    blocking receive, until nothing comes any more
 * daq_reference tcp PORT FOLDER LISTS               blocking receive, rows are appended to files
 *
 * LISTS is ODTS:BYTES,... (data bytes of each ODT but the first, which has four less). The last two
 * print CPU seconds, seconds, bytes, rows and lost messages.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define MAX_LISTS 16
#define MAX_ODTS 256
#define PIECE (256 << 10)
#define WRITE_BYTES (1 << 20)

typedef struct {
    int odts, next, skipping;
    uint32_t planned[MAX_ODTS], offset[MAX_ODTS], size[MAX_ODTS], row_at[MAX_ODTS];
    uint32_t row_size;
    uint64_t row, capacity, written, last;
    uint8_t *rows;
    uint64_t *ticks;
    int file;
} List;

static List lists[MAX_LISTS];
static int list_count;
static uint64_t lost, broken, rows_done;
static int expected = -1;

static void prepare(const char *text, int files, const char *folder) {
    char *copy = strdup(text);
    for (char *one = strtok(copy, ","); one; one = strtok(NULL, ",")) {
        List *list = &lists[list_count];
        int odts, bytes;
        if (sscanf(one, "%d:%d", &odts, &bytes) != 2) exit(2);
        list->odts = odts;
        for (int odt = 0; odt < odts; odt++) {
            list->offset[odt] = odt ? 2 : 6;
            list->size[odt] = odt ? bytes : bytes - 4;
            list->planned[odt] = list->offset[odt] + list->size[odt];
            list->row_at[odt] = list->row_size;
            list->row_size += list->size[odt];
        }
        list->capacity = (4u << 20) / list->row_size + 2;
        list->rows = calloc(list->capacity, list->row_size);
        list->ticks = calloc(list->capacity, 8);
        if (files) {
            char name[512];
            snprintf(name, sizeof name, "%s/c%d", folder, list_count);
            list->file = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        }
        list_count++;
    }
}

static void save(List *list, int all) {
    uint64_t bytes = (list->row - list->written) * list->row_size;
    if (list->file && (all || bytes >= WRITE_BYTES || list->row == list->capacity)) {
        if (write(list->file, list->rows + list->written * list->row_size, bytes) < 0) exit(3);
        list->written = list->row;
    }
}

static size_t decode(const uint8_t *data, size_t size) {
    size_t at = 0;
    while (size - at >= 4) {
        uint32_t header;
        memcpy(&header, data + at, 4);
        uint32_t length = header & 0xFFFF;
        int counter = header >> 16;
        if (at + 4 + length > size) break;
        if (counter != expected) {
            if (expected >= 0) lost += (uint16_t)(counter - expected);
        }
        expected = (uint16_t)(counter + 1);
        const uint8_t *packet = data + at + 4;
        at += 4 + length;
        if (length < 2 || packet[0] >= 0xFC || packet[1] >= list_count) continue;
        List *list = &lists[packet[1]];
        int odt = packet[0];
        if (odt >= list->odts || length < list->planned[odt] || (odt && odt != list->next)) {
            broken++;
            list->next = -1;
            continue;
        }
        if (!odt) {
            uint32_t ticks;
            memcpy(&ticks, packet + 2, 4);
            list->last += (uint32_t)(ticks - (uint32_t)list->last);
            list->ticks[list->row] = list->last;
        }
        memcpy(list->rows + list->row * list->row_size + list->row_at[odt],
               packet + list->offset[odt], list->size[odt]);
        list->next = odt + 1;
        if (list->next == list->odts) {
            list->next = 0;
            rows_done++;
            if (++list->row == list->capacity) {
                save(list, 0);
                list->row = list->written = 0;
            }
        }
    }
    return at;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static double cpu(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

static void in_memory(const char *name, int rounds, int copy_only) {
    int file = open(name, O_RDONLY);
    struct stat info;
    if (file < 0 || fstat(file, &info)) exit(2);
    size_t size = info.st_size, at = 0;
    uint8_t *data = malloc(size + 64);
    while (at < size) {
        ssize_t n = read(file, data + at, size - at);
        if (n <= 0) exit(2);
        at += n;
    }
    for (int round = 0; round < rounds; round++) {
        double begin = now();
        expected = -1;
        if (copy_only) {
            for (size_t done = 0; done < size; done += PIECE) {
                List *list = &lists[done / PIECE % list_count];
                size_t n = size - done < PIECE ? size - done : PIECE;
                memcpy(list->rows + done % (2u << 20), data + done, n);
            }
        } else {
            size_t done = 0, end = 0;
            while (end < size) {
                end = end + PIECE < size ? end + PIECE : size;
                done += decode(data + done, end - done);
            }
        }
        printf("%.9f\n", now() - begin);
    }
    fprintf(stderr, "rows %llu lost %llu broken %llu\n", (unsigned long long)rows_done,
            (unsigned long long)lost, (unsigned long long)broken);
}

static int connected(int kind, int port) {
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int sock = socket(AF_INET, kind, 0), wanted = 4 << 20, one = 1;
    if (setsockopt(sock, SOL_SOCKET, SO_RCVBUFFORCE, &wanted, sizeof wanted))
        setsockopt(sock, SOL_SOCKET, SO_RCVBUF, &wanted, sizeof wanted);
    if (connect(sock, (struct sockaddr *)&peer, sizeof peer)) exit(4);
    if (kind == SOCK_STREAM) setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct timeval limit = {1, 0};
    setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return sock;
}

static void receive(int kind, int port) {
    static uint8_t data[PIECE + 65536];
    int sock = connected(kind, port);
    uint8_t start[6] = {2, 0, 0, 0, 0xDD, 1};
    if (send(sock, start, sizeof start, 0) < 0) exit(4);
    size_t rest = 0, total = 0;
    double first = 0, last = 0, cpu_first = 0, cpu_last = 0;
    for (;;) {
        ssize_t n = recv(sock, data + rest, kind == SOCK_STREAM ? PIECE : 65536, 0);
        if (n <= 0) break;
        if (!total) first = now(), cpu_first = cpu();
        total += n;
        size_t taken = decode(data, rest + n);
        rest = kind == SOCK_STREAM ? rest + n - taken : 0;
        memmove(data, data + taken, rest);
        for (int i = 0; i < list_count; i++) save(&lists[i], 0);
        if (!(total & 0x3FF)) last = now(), cpu_last = cpu();
    }
    for (int i = 0; i < list_count; i++) save(&lists[i], 1);
    last = kind == SOCK_STREAM ? now() : last;
    cpu_last = cpu();
    printf("%.6f %.6f %zu %llu %llu\n", cpu_last - cpu_first, last - first, total,
           (unsigned long long)rows_done, (unsigned long long)lost);
}

int main(int argc, char **argv) {
    if (argc != 5) return 2;
    int tcp = !strcmp(argv[1], "tcp");
    prepare(argv[4], tcp, argv[3]);
    if (!strcmp(argv[1], "decode") || !strcmp(argv[1], "memcpy"))
        in_memory(argv[2], atoi(argv[3]), argv[1][0] == 'm');
    else
        receive(tcp ? SOCK_STREAM : SOCK_DGRAM, atoi(argv[2]));
    return 0;
}
