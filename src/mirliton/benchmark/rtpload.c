/*
 * rtpload -n CALLS -p FIRST_PORT -s STRIDE -r ROOM -t TALKERS -v VOICES [-P PEERS] [-k CALL,CALL... -o PROBES]
 *
 * The media half of many calls, against any bridge: call i is the UDP socket 127.0.0.1:FIRST_PORT + STRIDE * i, sends
 * a packet of RTP every 20 ms and judges what comes back. Who places the calls is another program's business.
 *
 * What is said was encoded before: VOICES holds loops of packets, the first of silence, the others of talkers. Of every
 * ROOM calls the first TALKERS talk. All numbers are little-endian and of 32 bits:
 *     payload type, timestamp units in 20 ms, loops, and for each loop: packets, and for each packet: size, bytes.
 * A packet of size 0 is not sent (DTX).
 * A call's peer is where its first packet comes from (symmetric RTP); where the bridge does not send first, SIGUSR2
 * makes this program read its ports, one for every call, from PEERS.
 *
 * Prints "ready". SIGUSR1 begins the measurement, SIGTERM ends it and prints one line of JSON about the time between.
 * `gaps` in it: how many gaps between packets lasted so many tenths of a millisecond.
 * What the calls of -k sent and received is kept and written to PROBES at the end, and what all calls received in the
 * last tenths of a second: for each packet the kind (0 sent, 1 received), the call, nanoseconds of the realtime clock
 * (64 bits), the number of the frame, size, and, if received, the packet.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    HEADER_BYTES = 12,
    MOST_PAYLOAD = 1500,
    SLOTS = 20, /* the calls are spread over the 20 ms of a frame, one slot a millisecond */
    READ_EVERY = 5, /* frames; the kernel keeps the times of arrival, and one system call takes what came in 100 ms */
    BATCH = 16,
    GAP_BUCKETS = 100000, /* of 0.1 ms: up to ten seconds */
    PROBE_BYTES = 64 << 20,
};

static const uint64_t SLOT_NS = 1000000;
static const uint64_t FRAME_NS = 20000000;
static const uint64_t LATE_NS = 20000000;
static const uint64_t QUIET_NS = 200000000; /* a call that gets nothing for so long has stopped, not jitter */
static const uint64_t LISTEN_NS = 200000000;
static const uint64_t GAP_NS = 100000;

struct packet {
    uint32_t size;
    const uint8_t *bytes;
};

struct loop {
    uint32_t count;
    struct packet *packets;
};

struct call {
    int fd;
    bool has_peer;
    bool probed;
    uint64_t received;
    int64_t first; /* unwrapped sequence numbers */
    int64_t highest;
    uint64_t first_arrival;
    uint64_t last_arrival;
};

struct received {
    uint8_t bytes[BATCH][MOST_PAYLOAD + HEADER_BYTES];
    uint8_t control[BATCH][64];
    struct sockaddr_in from[BATCH];
    struct iovec vectors[BATCH];
    struct mmsghdr messages[BATCH];
};

static struct call *calls;
static struct loop *loops;
static uint32_t payload_type, timestamp_step, loop_count;
static int total, room = 1, talkers;
static const char *peers_path;
static struct received box;
static uint8_t *probes;
static size_t probes_used;
static uint64_t probes_lost;
static uint64_t sent, slots, late_slots, latest;
static uint64_t gaps[GAP_BUCKETS];
static uint64_t gap_count, longest_gap, measured_from;
static bool listening;
static volatile sig_atomic_t begin_wanted, end_wanted, peers_wanted;

static void on_signal(int number)
{
    if (number == SIGUSR1)
        begin_wanted = 1;
    else if (number == SIGUSR2)
        peers_wanted = 1;
    else
        end_wanted = 1;
}

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "rtpload: %s: %s\n", what, why);
    exit(1);
}

static uint64_t now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static uint32_t next_number(const uint8_t **at, const uint8_t *end)
{
    uint32_t number;
    if (end - *at < (ptrdiff_t)sizeof number)
        fail("the file of voices", "ends too early");
    memcpy(&number, *at, sizeof number);
    *at += sizeof number;
    return number;
}

static void read_loop(struct loop *loop, const uint8_t **at, const uint8_t *end)
{
    loop->count = next_number(at, end);
    if (loop->count == 0 || loop->count > 100000)
        fail("the file of voices", "has a loop of no sensible length");
    loop->packets = calloc(loop->count, sizeof *loop->packets);
    for (uint32_t k = 0; k < loop->count; k++) {
        struct packet *packet = &loop->packets[k];
        packet->size = next_number(at, end);
        packet->bytes = *at;
        if (packet->size > MOST_PAYLOAD || end - *at < (ptrdiff_t)packet->size)
            fail("the file of voices", "has a packet that is too large");
        *at += packet->size;
    }
}

static void read_voices(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fail(path, strerror(errno));
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    uint8_t *bytes = malloc(size);
    if (fread(bytes, 1, size, file) != (size_t)size)
        fail(path, "cannot be read");
    fclose(file);
    const uint8_t *at = bytes, *end = bytes + size;
    payload_type = next_number(&at, end);
    timestamp_step = next_number(&at, end);
    loop_count = next_number(&at, end);
    if (loop_count < 2 || loop_count > 1000)
        fail(path, "needs a loop of silence and one or more of talkers");
    loops = calloc(loop_count, sizeof *loops);
    for (uint32_t k = 0; k < loop_count; k++)
        read_loop(&loops[k], &at, end);
}

static struct sockaddr_in loopback(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static void open_call(struct call *call, int port)
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
}

static void read_peers(void)
{
    FILE *file = fopen(peers_path, "r");
    if (file == NULL)
        fail(peers_path, strerror(errno));
    for (int i = 0; i < total; i++) {
        int port;
        if (fscanf(file, "%d", &port) != 1)
            fail(peers_path, "has fewer ports than there are calls");
        struct sockaddr_in peer = loopback(port);
        connect(calls[i].fd, (struct sockaddr *)&peer, sizeof peer);
        calls[i].has_peer = true;
    }
    fclose(file);
}

static void mark_probes(char *list)
{
    for (char *word = strtok(list, ","); word != NULL; word = strtok(NULL, ","))
        if (atoi(word) >= 0 && atoi(word) < total)
            calls[atoi(word)].probed = true;
    probes = malloc(PROBE_BYTES);
    if (probes == NULL)
        fail("probes", "no memory");
    memset(probes, 0, PROBE_BYTES); /* the pages are there before the measurement begins */
}

static void keep(uint32_t kind, uint32_t call, uint64_t at, uint32_t frame, const uint8_t *bytes, uint32_t size)
{
    uint32_t words[6] = {kind, call, (uint32_t)at, (uint32_t)(at >> 32), frame, size};
    if (probes_used + sizeof words + size > PROBE_BYTES) {
        probes_lost++;
        return;
    }
    memcpy(probes + probes_used, words, sizeof words);
    memcpy(probes + probes_used + sizeof words, bytes, size);
    probes_used += sizeof words + size;
}

static void write_probes(const char *path)
{
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(probes, 1, probes_used, file) != probes_used || fclose(file) != 0)
        fail(path, strerror(errno));
}

static void send_frame(int index, uint32_t frame)
{
    bool talks = index % room < talkers;
    struct loop *loop = &loops[talks ? 1 + index % (loop_count - 1) : 0];
    struct packet *said = &loop->packets[frame % loop->count];
    if (said->size == 0)
        return;
    uint8_t packet[HEADER_BYTES + MOST_PAYLOAD] = {0x80, payload_type};
    uint16_t sequence = htons((uint16_t)frame);
    uint32_t timestamp = htonl(frame * timestamp_step);
    uint32_t source = htonl(getpid() * 2654435761u + index); /* as random as RFC 3550 section 8 wants it */
    memcpy(packet + 2, &sequence, 2);
    memcpy(packet + 4, &timestamp, 4);
    memcpy(packet + 8, &source, 4);
    memcpy(packet + HEADER_BYTES, said->bytes, said->size);
    if (calls[index].probed)
        keep(0, index, now(CLOCK_REALTIME), frame, NULL, 0);
    ssize_t size = HEADER_BYTES + said->size;
    sent += send(calls[index].fd, packet, size, 0) == size;
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

static void note_gap(uint64_t from, uint64_t until)
{
    if (until <= from)
        return;
    uint64_t gap = until - from;
    uint64_t bucket = gap / GAP_NS;
    gaps[bucket < GAP_BUCKETS ? bucket : GAP_BUCKETS - 1]++;
    gap_count++;
    longest_gap = gap > longest_gap ? gap : longest_gap;
}

/* Nothing came for too long: at the beginning and the end of the measurement, where no other packet tells of it. */
static bool quiet(uint64_t from, uint64_t until)
{
    return until > from + QUIET_NS;
}

static void note_packet(struct call *call, const uint8_t *packet, ssize_t size, uint64_t arrival)
{
    uint16_t sequence = packet[2] << 8 | packet[3];
    if (call->received == 0) {
        call->first = call->highest = sequence;
        call->first_arrival = quiet(measured_from, arrival) ? measured_from : arrival;
        call->last_arrival = call->first_arrival;
    } else {
        int16_t step = (int16_t)(sequence - (uint16_t)call->highest);
        if (step > 0)
            call->highest += step;
    }
    call->received++;
    note_gap(call->last_arrival, arrival);
    call->last_arrival = arrival;
    if (call->probed || listening)
        keep(1, call - calls, arrival, 0, packet, size);
}

static void take(struct call *call, int k)
{
    struct mmsghdr *message = &box.messages[k];
    const uint8_t *packet = box.bytes[k];
    ssize_t size = message->msg_len;
    bool is_rtcp = size >= HEADER_BYTES && packet[1] >= 200 && packet[1] <= 207;
    if (size < HEADER_BYTES || packet[0] >> 6 != 2 || is_rtcp)
        return;
    if (!call->has_peer) {
        connect(call->fd, (struct sockaddr *)&box.from[k], sizeof box.from[k]);
        call->has_peer = true;
    }
    note_packet(call, packet, size, arrival_of(&message->msg_hdr));
}

static void receive(struct call *call)
{
    int count;
    do {
        for (int k = 0; k < BATCH; k++) {
            box.vectors[k] = (struct iovec){box.bytes[k], sizeof box.bytes[k]};
            box.messages[k].msg_hdr = (struct msghdr){
                &box.from[k], sizeof box.from[k], &box.vectors[k], 1, box.control[k], sizeof box.control[k], 0};
        }
        count = recvmmsg(call->fd, box.messages, BATCH, MSG_DONTWAIT, NULL);
        for (int k = 0; k < count; k++)
            take(call, k);
    } while (count == BATCH);
}

static void receive_all(void)
{
    for (int i = 0; i < total; i++)
        receive(&calls[i]);
}

static bool told(void)
{
    return end_wanted || begin_wanted || peers_wanted;
}

/* Sends and reads what is due, until it is told something; returns when the next slot is. */
static uint64_t work(uint64_t due)
{
    static uint32_t frame;
    static int slot;
    for (uint64_t time = now(CLOCK_MONOTONIC); time >= due && !told(); time = now(CLOCK_MONOTONIC)) {
        uint64_t late = time - due;
        slots++;
        late_slots += late > LATE_NS;
        latest = late > latest ? late : latest;
        for (int i = slot; i < total; i += SLOTS)
            if (calls[i].has_peer)
                send_frame(i, frame);
        for (int i = slot; i < total; i += SLOTS)
            if (!calls[i].has_peer || (i / SLOTS + frame) % READ_EVERY == 0)
                receive(&calls[i]);
        slot = (slot + 1) % SLOTS;
        frame += slot == 0;
        due += SLOT_NS;
    }
    return due;
}

static void begin_measurement(void)
{
    receive_all(); /* what came before does not count */
    for (int i = 0; i < total; i++)
        calls[i].received = 0;
    memset(gaps, 0, sizeof gaps);
    measured_from = now(CLOCK_REALTIME);
    probes_used = probes_lost = 0;
    sent = slots = late_slots = latest = gap_count = longest_gap = 0;
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

static void print_gaps(void)
{
    const char *separator = "";
    for (int bucket = 0; bucket < GAP_BUCKETS; bucket++)
        if (gaps[bucket] > 0) {
            printf("%s\"%d\": %lu", separator, bucket, gaps[bucket]);
            separator = ", ";
        }
}

/* How many packets a call should have got in a time in which one is due every 20 ms. */
static uint64_t due_of(const struct call *call, uint64_t end)
{
    uint64_t until = quiet(call->last_arrival, end) ? end : call->last_arrival;
    return (until - call->first_arrival + FRAME_NS / 2) / FRAME_NS + 1;
}

static void note_last_gaps(uint64_t end)
{
    for (int i = 0; i < total; i++)
        if (calls[i].received > 0 && quiet(calls[i].last_arrival, end))
            note_gap(calls[i].last_arrival, end);
}

static void print_result(double seconds, uint64_t end)
{
    uint64_t received = 0, expected = 0, due = 0, fewest = UINT64_MAX;
    int silent = 0;
    for (int i = 0; i < total; i++) {
        struct call *call = &calls[i];
        received += call->received;
        expected += call->received ? call->highest - call->first + 1 : 0;
        due += call->received ? due_of(call, end) : seconds * 1e9 / FRAME_NS;
        fewest = call->received < fewest ? call->received : fewest;
        silent += call->received == 0;
    }
    printf("{\"calls\": %d, \"seconds\": %.3f, \"sent\": %lu, \"received\": %lu, \"expected\": %lu, \"due\": %lu, ",
           total, seconds, sent, received, expected, due);
    printf("\"fewest\": %lu, \"silent\": %d, ", fewest, silent);
    printf("\"gap_p50_ms\": %.1f, \"gap_p99_ms\": %.1f, \"gap_p999_ms\": %.1f, \"gap_max_ms\": %.1f, ", gap_below(0.5),
           gap_below(0.99), gap_below(0.999), longest_gap / 1e6);
    printf("\"slots\": %lu, \"late_slots\": %lu, \"latest_ms\": %.1f, \"unkept\": %lu, \"gaps\": {", slots,
           late_slots, latest / 1e6, probes_lost);
    print_gaps();
    printf("}}\n");
}

static void sleep_until(uint64_t time)
{
    uint64_t present = now(CLOCK_MONOTONIC);
    if (present < time) {
        struct timespec pause = {.tv_nsec = time - present};
        nanosleep(&pause, NULL);
    }
}

static void allow_many_files(void)
{
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

static void run(void)
{
    uint64_t began = now(CLOCK_MONOTONIC);
    uint64_t due = began, end_at = UINT64_MAX;
    while (now(CLOCK_MONOTONIC) < end_at) {
        if (end_wanted) {
            end_wanted = 0;
            listening = probes != NULL;
            end_at = now(CLOCK_MONOTONIC) + LISTEN_NS;
        }
        if (peers_wanted) {
            peers_wanted = 0;
            read_peers();
        }
        if (begin_wanted) {
            begin_wanted = 0;
            begin_measurement();
            began = due = now(CLOCK_MONOTONIC);
        }
        due = work(due);
        sleep_until(due);
    }
    uint64_t end = now(CLOCK_REALTIME);
    double seconds = (now(CLOCK_MONOTONIC) - began) / 1e9;
    receive_all();
    note_last_gaps(end);
    print_result(seconds, end);
}

int main(int count, char **words)
{
    const char *voices_path = NULL, *probes_path = NULL;
    char *probed = NULL;
    int first_port = 0, stride = 2, option;
    while ((option = getopt(count, words, "n:p:s:r:t:v:P:k:o:")) != -1)
        switch (option) {
        case 'n': total = atoi(optarg); break;
        case 'p': first_port = atoi(optarg); break;
        case 's': stride = atoi(optarg); break;
        case 'r': room = atoi(optarg); break;
        case 't': talkers = atoi(optarg); break;
        case 'v': voices_path = optarg; break;
        case 'P': peers_path = optarg; break;
        case 'k': probed = optarg; break;
        case 'o': probes_path = optarg; break;
        default: return 2;
        }
    if (total < 1 || first_port < 1 || stride < 1 || room < 1 || voices_path == NULL || !probed != !probes_path) {
        fprintf(stderr, "rtpload -n CALLS -p FIRST_PORT -s STRIDE -r ROOM -t TALKERS -v VOICES "
                        "[-P PEERS] [-k CALL,CALL... -o PROBES]\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* nothing may be left when the benchmark itself is killed */
    signal(SIGUSR1, on_signal);
    signal(SIGUSR2, peers_path ? on_signal : SIG_IGN);
    signal(SIGTERM, on_signal);
    allow_many_files();
    read_voices(voices_path);
    calls = calloc(total, sizeof *calls);
    for (int i = 0; i < total; i++)
        open_call(&calls[i], first_port + stride * i);
    if (probed != NULL)
        mark_probes(probed);
    puts("ready");
    fflush(stdout);
    run();
    if (probes_path != NULL)
        write_probes(probes_path);
    return 0;
}
