/* Calls one gRPC method as fast as a server answers, over mutual TLS, in one thread.
 *
 *     cc -O2 -o load benchmarks/load.c -lnghttp2 -lssl -lcrypto
 *     load PORT PKI_DIR PATH HEX_MESSAGE CONNECTIONS CALLS_EACH SECONDS
 *
 * PKI_DIR holds ca.pem, client.pem and client-key.pem. Each connection keeps CALLS_EACH calls under
 * way. A Python client spends several times as much on a call as the server does, and so measures
 * itself. Prints one JSON object; latencies are in milliseconds. Exit code 3: a call failed.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define WARM_UP_S 0.3
#define PATIENCE_S 10 /* how long the last calls may take */
#define MAX_MESSAGE 65536

typedef struct {
    int fd, wants_write;
    SSL *tls;
    nghttp2_session *http;
    uint8_t *out; /* what is to be sent */
    size_t out_size, out_sent, out_room;
} connection;

typedef struct {
    double started_s;
    size_t sent;
    int is_ok;
} call;

static uint8_t message[MAX_MESSAGE + 5]; /* with gRPC's prefix */
static size_t message_size;
static const char *path;
static char authority[32];
static int poller, under_way;
static double warm_at_s, end_s;
static long answered, failed, measured;
static float *latencies_ms;
static size_t latencies_room;
static char failure[256]; /* grpc-message of a call that failed */

static void die(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    ERR_print_errors_fp(stderr);
    exit(1);
}

static double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec * 1e-9;
}

/* --- HTTP/2 --- */

static ssize_t give_message(nghttp2_session *http, int32_t stream, uint8_t *into, size_t room,
                            uint32_t *flags, nghttp2_data_source *source, void *user) {
    call *of = source->ptr;
    size_t size = message_size - of->sent < room ? message_size - of->sent : room;
    memcpy(into, message + of->sent, size);
    of->sent += size;
    if (of->sent == message_size) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return size;
}

#define FIELD(name, value)                                                            \
    {(uint8_t *)(name), (uint8_t *)(value), sizeof(name) - 1, strlen(value),          \
     NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE}

static void begin_call(connection *to) {
    call *made = calloc(1, sizeof *made);
    nghttp2_nv fields[] = {
        FIELD(":method", "POST"),
        FIELD(":scheme", "https"),
        FIELD(":path", path),
        FIELD(":authority", authority),
        FIELD("te", "trailers"),
        FIELD("content-type", "application/grpc"),
        FIELD("user-agent", "load/1"),
        FIELD("grpc-accept-encoding", "identity, deflate, gzip"),
    };
    nghttp2_data_provider body = {{.ptr = made}, give_message};
    made->started_s = now_s();
    if (nghttp2_submit_request(to->http, NULL, fields, sizeof fields / sizeof *fields, &body, made) < 0)
        die("a request was not taken");
    under_way++;
}

static int on_field(nghttp2_session *http, const nghttp2_frame *frame, const uint8_t *name,
                    size_t name_size, const uint8_t *value, size_t size, uint8_t flags, void *user) {
    call *of = nghttp2_session_get_stream_user_data(http, frame->hd.stream_id);
    if (of && name_size == 11 && !memcmp(name, "grpc-status", 11)) of->is_ok = size == 1 && *value == '0';
    if (name_size == 12 && !memcmp(name, "grpc-message", 12))
        snprintf(failure, sizeof failure, "%.*s", (int)size, value);
    return 0;
}

static int on_end(nghttp2_session *http, int32_t stream, uint32_t error, void *user) {
    call *of = nghttp2_session_get_stream_user_data(http, stream);
    double ended_s = now_s();
    under_way--;
    answered++;
    if (error || !of->is_ok) failed++;
    if (of->started_s >= warm_at_s && ended_s <= end_s) {
        if ((size_t)measured == latencies_room) {
            latencies_room = latencies_room ? 2 * latencies_room : 1 << 16;
            latencies_ms = realloc(latencies_ms, latencies_room * sizeof *latencies_ms);
        }
        latencies_ms[measured++] = (ended_s - of->started_s) * 1e3;
    }
    free(of);
    if (ended_s < end_s) begin_call(user);
    return 0;
}

static ssize_t on_send(nghttp2_session *http, const uint8_t *data, size_t size, int flags, void *user) {
    connection *of = user;
    if (of->out_size + size > of->out_room) {
        of->out_room = 2 * (of->out_size + size);
        of->out = realloc(of->out, of->out_room);
    }
    memcpy(of->out + of->out_size, data, size);
    of->out_size += size;
    return size;
}

/* --- sockets --- */

static void watch(connection *of, int for_writing, int operation) {
    struct epoll_event event = {EPOLLIN | (for_writing ? EPOLLOUT : 0), {.ptr = of}};
    if (epoll_ctl(poller, operation, of->fd, &event)) die("epoll_ctl");
    of->wants_write = for_writing;
}

static void send_all(connection *of) {
    for (;;) {
        if (of->out_sent == of->out_size) {
            of->out_sent = of->out_size = 0;
            if (nghttp2_session_send(of->http)) die("HTTP/2");
            if (!of->out_size) break;
        }
        int sent = SSL_write(of->tls, of->out + of->out_sent, of->out_size - of->out_sent);
        if (sent <= 0) {
            if (SSL_get_error(of->tls, sent) != SSL_ERROR_WANT_WRITE) die("a connection broke");
            if (!of->wants_write) watch(of, 1, EPOLL_CTL_MOD);
            return;
        }
        of->out_sent += sent;
    }
    if (of->wants_write) watch(of, 0, EPOLL_CTL_MOD);
}

static void receive(connection *of) {
    static uint8_t data[1 << 17];
    int size;
    while ((size = SSL_read(of->tls, data, sizeof data)) > 0)
        if (nghttp2_session_mem_recv(of->http, data, size) < 0) die("HTTP/2");
    if (SSL_get_error(of->tls, size) != SSL_ERROR_WANT_READ) die("a connection ended");
}

static SSL_CTX *credentials(const char *folder) {
    char file[4096];
    SSL_CTX *of = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_mode(of, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    snprintf(file, sizeof file, "%s/client.pem", folder);
    if (SSL_CTX_use_certificate_chain_file(of, file) != 1) die(file);
    snprintf(file, sizeof file, "%s/client-key.pem", folder);
    if (SSL_CTX_use_PrivateKey_file(of, file, SSL_FILETYPE_PEM) != 1) die(file);
    snprintf(file, sizeof file, "%s/ca.pem", folder);
    if (SSL_CTX_load_verify_locations(of, file, NULL) != 1) die(file);
    SSL_CTX_set_verify(of, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_alpn_protos(of, (const uint8_t *)"\x02h2", 3);
    return of;
}

static void open_connection(connection *of, int port, SSL_CTX *tls) {
    static const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 20},
    };
    struct sockaddr_in server = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    nghttp2_session_callbacks *callbacks;
    int yes = 1;
    of->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(of->fd, (struct sockaddr *)&server, sizeof server)) die("connect");
    setsockopt(of->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    of->tls = SSL_new(tls);
    SSL_set_fd(of->tls, of->fd);
    if (SSL_connect(of->tls) != 1) die("TLS handshake");
    fcntl(of->fd, F_SETFL, O_NONBLOCK);
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_send_callback(callbacks, on_send);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_field);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_end);
    nghttp2_session_client_new(&of->http, callbacks, of);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(of->http, 0, settings, 2);
    nghttp2_session_set_local_window_size(of->http, 0, 0, 1 << 24);
    watch(of, 0, EPOLL_CTL_ADD);
}

/* --- the run --- */

static void read_message(const char *hex) {
    size_t size = strlen(hex) / 2;
    if (size > MAX_MESSAGE) die("the message is too long");
    for (size_t i = 0; i < size; i++) sscanf(hex + 2 * i, "%2hhx", &message[5 + i]);
    for (int i = 0; i < 4; i++) message[1 + i] = size >> (24 - 8 * i);
    message_size = size + 5;
}

static int compare(const void *one, const void *other) {
    float difference = *(const float *)one - *(const float *)other;
    return (difference > 0) - (difference < 0);
}

static double percentile(int percent) {
    return measured ? latencies_ms[measured * percent / 100] : 0;
}

int main(int count, char **words) {
    if (count != 8) {
        fprintf(stderr, "usage: load PORT PKI_DIR PATH HEX_MESSAGE CONNECTIONS CALLS_EACH SECONDS\n");
        return 2;
    }
    int port = atoi(words[1]), connections = atoi(words[5]), calls_each = atoi(words[6]);
    double seconds = atof(words[7]);
    SSL_CTX *tls = credentials(words[2]);
    connection *all = calloc(connections, sizeof *all);
    struct epoll_event ready[256];
    path = words[3];
    read_message(words[4]);
    snprintf(authority, sizeof authority, "127.0.0.1:%d", port);
    poller = epoll_create1(0);
    for (int i = 0; i < connections; i++) open_connection(all + i, port, tls);
    puts("connected");
    fflush(stdout);
    warm_at_s = now_s() + WARM_UP_S;
    end_s = warm_at_s + seconds;
    for (int i = 0; i < connections; i++) {
        for (int n = 0; n < calls_each; n++) begin_call(all + i);
        send_all(all + i);
    }
    while (under_way) {
        int events = epoll_wait(poller, ready, 256, 1000);
        if (now_s() > end_s + PATIENCE_S) die("calls were not answered");
        for (int i = 0; i < events; i++) {
            receive(ready[i].data.ptr);
            send_all(ready[i].data.ptr);
        }
    }
    qsort(latencies_ms, measured, sizeof *latencies_ms, compare);
    printf("{\"all_calls\": %ld, \"failed\": %ld, \"calls_per_s\": %.1f, \"p50_ms\": %.3f, "
           "\"p99_ms\": %.3f, \"failure\": \"%s\"}\n",
           answered, failed, measured / seconds, percentile(50), percentile(99), failure);
    return failed ? 3 : 0;
}
