/* What a slave written in C does: copies variables into framed DTOs and sends them, event by event. */
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <netinet/in.h>

#define MAX_ODTS 256

/* Entries of all ODTs in order; first[odt] … first[odt + 1] belong to one. Frames lie back to back. */
void gather(const uint8_t *image, const uint32_t *offset, const uint8_t *size, const uint32_t *first,
            uint32_t odts, uint16_t daq_list, uint32_t ticks, uint16_t *counter, uint8_t *out)
{
    for (uint32_t odt = 0; odt < odts; odt++) {
        uint8_t *head = out;
        out += 4;
        *out++ = (uint8_t)odt;
        *out++ = (uint8_t)daq_list;
        if (odt == 0) {
            memcpy(out, &ticks, 4);
            out += 4;
        }
        for (uint32_t i = first[odt]; i < first[odt + 1]; i++) {
            const uint8_t *from = image + offset[i];
            switch (size[i]) {
            case 1: *out = *from; break;
            case 2: memcpy(out, from, 2); break;
            case 4: memcpy(out, from, 4); break;
            case 8: memcpy(out, from, 8); break;
            default: memcpy(out, from, size[i]);
            }
            out += size[i];
        }
        uint16_t length = (uint16_t)(out - head - 4);
        memcpy(head, &length, 2);
        memcpy(head + 2, counter, 2);
        (*counter)++;
    }
}

/* Sends one run of equal datagrams, the last of which may be shorter, in one call. */
static int send_run(int fd, const struct sockaddr_in *to, uint8_t *data, uint32_t size, uint16_t segment)
{
    struct iovec part = {data, size};
    char control[CMSG_SPACE(sizeof(uint16_t))] = {0};
    struct msghdr message = {0};
    message.msg_name = (void *)to;
    message.msg_namelen = sizeof *to;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (size > segment) {
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = 17; /* SOL_UDP */
        head->cmsg_type = 103; /* UDP_SEGMENT */
        head->cmsg_len = CMSG_LEN(sizeof(uint16_t));
        memcpy(CMSG_DATA(head), &segment, sizeof segment);
    }
    return sendmsg(fd, &message, 0) == (ssize_t)size;
}

/* Returns how many events went out whole. */
uint32_t run(const uint8_t *image, const uint32_t *offset, const uint8_t *size, const uint32_t *first,
             uint32_t odts, uint8_t *out, uint32_t total, uint16_t segment, int fd, uint32_t address,
             uint16_t port, uint32_t events)
{
    struct sockaddr_in to = {0};
    uint16_t counter = 0;
    uint32_t sent = 0;
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = address;
    to.sin_port = htons(port);
    for (uint32_t event = 0; event < events; event++) {
        gather(image, offset, size, first, odts, 0, event * 100, &counter, out);
        sent += fd < 0 || send_run(fd, &to, out, total, segment);
    }
    return sent;
}
