/*
 * rtpload CALLS FIRST_PORT STRIDE ROOM TALKERS [PEER_PORTS_FILE]
 *
 * The media half of many calls, against any bridge: call i is the UDP socket 127.0.0.1:FIRST_PORT + STRIDE * i, sends
 * PCMU in packets of 20 ms and judges what comes back. Who places the calls is another program's business.
 *
 * Of every ROOM calls the first TALKERS send a tone, the others send silence. A call's peer is where its first packet
 * comes from (symmetric RTP); where the bridge does not send first, PEER_PORTS_FILE lists its port for every call.
 *
 * Prints "ready". SIGUSR1 begins the measurement, SIGTERM ends it and prints one line of JSON about the time between.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <math.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    HEADER_BYTES = 12,
    FRAME_BYTES = 160, /* 20 ms of PCMU */
    PAYLOAD_TYPE = 0,
    SLOTS = 20, /* the calls are spread over the 20 ms of a frame, one slot a millisecond */
    TONES = 16,
    TONE_FRAMES = 5, /* 100 ms hold whole periods of every multiple of 10 Hz */
    EVENTS = 1024,
    GAP_BUCKETS = 100000, /* of 0.1 ms: up to ten seconds */
};

static const uint64_t SLOT_NS = 1000000;
static const uint64_t LATE_NS = 20000000;
static const uint8_t SILENCE = 0xff;

struct call {
    int fd;
    bool has_peer;
    uint64_t received;
    uint64_t loud;
    int64_t first; /* unwrapped sequence numbers */
    int64_t highest;
    uint64_t last_arrival;
};

static struct call *calls;
static int total;
static uint8_t tones[TONES][TONE_FRAMES * FRAME_BYTES];
static uint64_t sent;
static uint64_t slots;
static uint64_t late_slots;
static uint64_t latest;
static uint64_t gaps[GAP_BUCKETS];
static uint64_t gap_count;
static uint64_t longest_gap;
static volatile sig_atomic_t begin_wanted;
static volatile sig_atomic_t end_wanted;

static void on_begin(int number)
{
    (void)number;
    begin_wanted = 1;
}

static void on_end(int number)
{
    (void)number;
    end_wanted = 1;
}

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* ITU-T G.711, mu-law. */
static uint8_t mu_law(int sample)
{
    int sign = sample < 0 ? 0x80 : 0;
    int magnitude = (sample < 0 ? -sample : sample) + 0x84;
    int exponent = 7;
    for (int mask = 0x4000; !(magnitude & mask) && exponent > 0; mask >>= 1)
        exponent--;
    return ~(sign | exponent << 4 | (magnitude >> (exponent + 3) & 15));
}

static void make_tones(void)
{
    for (int t = 0; t < TONES; t++)
        for (int k = 0; k < TONE_FRAMES * FRAME_BYTES; k++)
            tones[t][k] = mu_law(6000 * sin(2 * M_PI * (400 + t * 80) * k / 8000.0));
}

static struct sockaddr_in loopback(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static void open_call(struct call *call, int port, int epoll, int index)
{
    struct sockaddr_in address = loopback(port);
    int on = 1;
    call->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (call->fd < 0 || bind(call->fd, (struct sockaddr *)&address, sizeof address) != 0) {
        fprintf(stderr, "rtpload: port %d: ", port);
        perror("");
        exit(1);
    }
    /* The kernel's time of arrival does not depend on when this program gets round to reading. */
    setsockopt(call->fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};
    epoll_ctl(epoll, EPOLL_CTL_ADD, call->fd, &event);
}

static void read_peers(const char *path)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    for (int i = 0; i < total; i++) {
        int port;
        if (fscanf(file, "%d", &port) != 1) {
            fprintf(stderr, "rtpload: %s has fewer than %d ports\n", path, total);
            exit(1);
        }
        struct sockaddr_in peer = loopback(port);
        connect(calls[i].fd, (struct sockaddr *)&peer, sizeof peer);
        calls[i].has_peer = true;
    }
    fclose(file);
}

static void begin_measurement(void)
{
    for (int i = 0; i < total; i++) {
        calls[i].received = 0;
        calls[i].loud = 0;
        calls[i].last_arrival = 0;
    }
    memset(gaps, 0, sizeof gaps);
    sent = slots = late_slots = latest = gap_count = longest_gap = 0;
}

static void send_frame(int index, uint32_t frame, bool talks)
{
    uint8_t packet[HEADER_BYTES + FRAME_BYTES] = {0x80, PAYLOAD_TYPE};
    uint16_t sequence = htons((uint16_t)frame);
    uint32_t timestamp = htonl(frame * FRAME_BYTES);
    uint32_t source = htonl(index + 1);
    memcpy(packet + 2, &sequence, 2);
    memcpy(packet + 4, &timestamp, 4);
    memcpy(packet + 8, &source, 4);
    if (talks)
        memcpy(packet + HEADER_BYTES, tones[index % TONES] + frame % TONE_FRAMES * FRAME_BYTES, FRAME_BYTES);
    else
        memset(packet + HEADER_BYTES, SILENCE, FRAME_BYTES);
    if (send(calls[index].fd, packet, sizeof packet, 0) == sizeof packet)
        sent++;
}

/* Sends what is due; returns when the next slot is. */
static uint64_t send_due(uint64_t due, int room, int talkers)
{
    static uint32_t frame;
    static int slot;
    for (uint64_t time = now(); time >= due; time = now()) {
        uint64_t late = time - due;
        slots++;
        late_slots += late > LATE_NS;
        latest = late > latest ? late : latest;
        for (int i = slot; i < total; i += SLOTS)
            if (calls[i].has_peer)
                send_frame(i, frame, i % room < talkers);
        slot = (slot + 1) % SLOTS;
        frame += slot == 0;
        due += SLOT_NS;
    }
    return due;
}

static bool is_loud(const uint8_t *payload, ssize_t size)
{
    for (ssize_t k = 0; k < size; k += 3)
        if ((payload[k] & 0x7f) < 0x60) /* mu-law is stored inverted: small codes are loud */
            return true;
    return false;
}

static uint64_t arrival_of(struct msghdr *message)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
            struct timespec t;
            memcpy(&t, CMSG_DATA(c), sizeof t);
            return t.tv_sec * 1000000000ull + t.tv_nsec;
        }
    return 0;
}

static void note_gap(struct call *call, uint64_t arrival)
{
    if (call->last_arrival != 0 && arrival > call->last_arrival) {
        uint64_t gap = arrival - call->last_arrival;
        uint64_t bucket = gap / 100000;
        gaps[bucket < GAP_BUCKETS ? bucket : GAP_BUCKETS - 1]++;
        gap_count++;
        longest_gap = gap > longest_gap ? gap : longest_gap;
    }
    call->last_arrival = arrival;
}

static void note_packet(struct call *call, const uint8_t *packet, ssize_t size, uint64_t arrival)
{
    uint16_t sequence = packet[2] << 8 | packet[3];
    if (call->received == 0) {
        call->first = call->highest = sequence;
    } else {
        int16_t step = (int16_t)(sequence - (uint16_t)call->highest);
        if (step > 0)
            call->highest += step;
    }
    call->received++;
    call->loud += is_loud(packet + HEADER_BYTES, size - HEADER_BYTES);
    note_gap(call, arrival);
}

static void receive_one(struct call *call)
{
    uint8_t packet[2048];
    uint8_t control[64];
    struct sockaddr_in from;
    struct iovec vector = {packet, sizeof packet};
    struct msghdr message = {&from, sizeof from, &vector, 1, control, sizeof control, 0};
    ssize_t size = recvmsg(call->fd, &message, 0);
    bool is_rtcp = size >= HEADER_BYTES && packet[1] >= 200 && packet[1] <= 207;
    if (size < HEADER_BYTES || packet[0] >> 6 != 2 || is_rtcp)
        return;
    if (!call->has_peer) {
        connect(call->fd, (struct sockaddr *)&from, sizeof from);
        call->has_peer = true;
    }
    note_packet(call, packet, size, arrival_of(&message));
}

/* Reads what is there; returns false when there was nothing. */
static bool receive_ready(int epoll)
{
    struct epoll_event ready[EVENTS];
    int count = epoll_wait(epoll, ready, EVENTS, 0);
    for (int i = 0; i < count; i++)
        receive_one(&calls[ready[i].data.u32]);
    return count > 0;
}

static double gap_below(double fraction)
{
    uint64_t seen = 0;
    for (int bucket = 0; bucket < GAP_BUCKETS; bucket++) {
        seen += gaps[bucket];
        if (seen > 0 && seen >= fraction * gap_count)
            return bucket / 10.0;
    }
    return 0;
}

static void print_result(double seconds)
{
    uint64_t received = 0, expected = 0, fewest = UINT64_MAX;
    int silent = 0, hearing = 0;
    for (int i = 0; i < total; i++) {
        struct call *call = &calls[i];
        received += call->received;
        expected += call->received ? call->highest - call->first + 1 : 0;
        fewest = call->received < fewest ? call->received : fewest;
        silent += call->received == 0;
        hearing += call->loud > call->received / 2;
    }
    printf("{\"calls\": %d, \"seconds\": %.3f, \"sent\": %lu, \"received\": %lu, \"expected\": %lu, ", total, seconds,
           sent, received, expected);
    printf("\"fewest\": %lu, \"silent\": %d, \"hearing\": %d, ", fewest, silent, hearing);
    printf("\"gap_p50_ms\": %.1f, \"gap_p99_ms\": %.1f, \"gap_p999_ms\": %.1f, \"gap_max_ms\": %.1f, ", gap_below(0.5),
           gap_below(0.99), gap_below(0.999), longest_gap / 1e6);
    printf("\"slots\": %lu, \"late_slots\": %lu, \"latest_ms\": %.1f}\n", slots, late_slots, latest / 1e6);
}

static void sleep_until(uint64_t time)
{
    uint64_t present = now();
    if (present < time) {
        struct timespec pause = {.tv_nsec = time - present};
        nanosleep(&pause, NULL);
    }
}

int main(int count, char **words)
{
    if (count < 6 || count > 7 || atoi(words[1]) < 1 || atoi(words[4]) < 1) {
        fprintf(stderr, "rtpload CALLS FIRST_PORT STRIDE ROOM TALKERS [PEER_PORTS_FILE]\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* nothing may be left when the benchmark itself is killed */
    signal(SIGUSR1, on_begin);
    signal(SIGTERM, on_end);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    total = atoi(words[1]);
    calls = calloc(total, sizeof *calls);
    int epoll = epoll_create1(0);
    for (int i = 0; i < total; i++)
        open_call(&calls[i], atoi(words[2]) + atoi(words[3]) * i, epoll, i);
    if (count == 7)
        read_peers(words[6]);
    make_tones();
    puts("ready");
    fflush(stdout);
    uint64_t began = now();
    uint64_t due = began;
    while (!end_wanted) {
        if (begin_wanted) {
            begin_wanted = 0;
            began = now();
            begin_measurement();
        }
        due = send_due(due, atoi(words[4]), atoi(words[5]));
        if (!receive_ready(epoll))
            sleep_until(due);
    }
    print_result((now() - began) / 1e9);
    return 0;
}
