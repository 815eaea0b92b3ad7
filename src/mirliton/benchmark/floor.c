/*
 * floor FIRST_PORT SOCKETS
 *
 * The least that any mixer must do: receive the packets and send as many of the same size. It echoes on SOCKETS
 * shared UDP sockets at 127.0.0.1:FIRST_PORT and above with recvmmsg and sendmmsg, and does nothing else.
 *
 * Prints "ready", runs until SIGTERM. Its processor time is read from outside.
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 512, PACKET_BYTES = 256, MOST_SOCKETS = 256, BUFFER_BYTES = 8 << 20 };

static int sockets[MOST_SOCKETS];
static char data[BATCH][PACKET_BYTES];
static struct sockaddr_in names[BATCH];
static struct iovec vectors[BATCH];
static struct mmsghdr messages[BATCH];

static int open_socket(int port)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    int bytes = BUFFER_BYTES;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        perror("floor: bind");
        exit(1);
    }
    return fd;
}

static void point_headers_at_buffers(void)
{
    for (int i = 0; i < BATCH; i++) {
        vectors[i].iov_base = data[i];
        messages[i].msg_hdr.msg_iov = &vectors[i];
        messages[i].msg_hdr.msg_iovlen = 1;
        messages[i].msg_hdr.msg_name = &names[i];
    }
}

static int receive_batch(int fd)
{
    for (int i = 0; i < BATCH; i++) {
        vectors[i].iov_len = PACKET_BYTES;
        messages[i].msg_hdr.msg_namelen = sizeof names[i];
    }
    return recvmmsg(fd, messages, BATCH, MSG_DONTWAIT, NULL);
}

static void send_back(int fd, int count)
{
    for (int i = 0; i < count; i++)
        vectors[i].iov_len = messages[i].msg_len;
    for (int done = 0; done < count;) {
        int sent = sendmmsg(fd, messages + done, count - done, 0);
        if (sent <= 0)
            return; /* the packets are lost, and the load counts them as lost */
        done += sent;
    }
}

int main(int count, char **words)
{
    if (count != 3 || atoi(words[2]) < 1 || atoi(words[2]) > MOST_SOCKETS) {
        fprintf(stderr, "floor FIRST_PORT SOCKETS\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* nothing may be left when the benchmark itself is killed */
    int first = atoi(words[1]);
    int total = atoi(words[2]);
    for (int k = 0; k < total; k++)
        sockets[k] = open_socket(first + k);
    point_headers_at_buffers();
    puts("ready");
    fflush(stdout);
    for (;;) {
        /* A mixer with rooms in four phases wakes up as often. */
        struct timespec pause = {.tv_nsec = 5000000};
        nanosleep(&pause, NULL);
        for (int k = 0; k < total; k++) {
            int received;
            do {
                received = receive_batch(sockets[k]);
                if (received > 0)
                    send_back(sockets[k], received);
            } while (received == BATCH);
        }
    }
}
