// nginx knows requests only as those of a client's connection: here is one without a socket. Its main request
// never runs and never ends, so whatever is asked is a subrequest of it. Nothing of either comes from nginx's
// free lists or may be closed by nginx: they go with the InternalRequest, once nothing in nginx knows them.

#include "internal_request.h"

#include "hls_proxy.h"

namespace hls_proxy {

namespace {

// nginx closes a request whose count and blocked are 0. Both start higher here, and it never does.
constexpr ngx_uint_t kCount = 1000;
constexpr ngx_uint_t kBlocked = 1;

// What was left behind is looked at so often, and given so long to end by itself.
constexpr ngx_msec_t kReapInterval = 100;
constexpr ngx_uint_t kMaxReaps = 600;

ssize_t no_recv(ngx_connection_t *, u_char *, size_t) { return NGX_ERROR; }
ssize_t no_send(ngx_connection_t *, u_char *, size_t) { return NGX_ERROR; }
ssize_t no_recv_chain(ngx_connection_t *, ngx_chain_t *, off_t) { return NGX_ERROR; }
ngx_chain_t *no_send_chain(ngx_connection_t *, ngx_chain_t *, off_t) { return NGX_CHAIN_ERROR; }

void ignore_request(ngx_http_request_t *) {}
void ignore_event(ngx_event_t *) {}

u_char *log_handler(ngx_log_t *log, u_char *buf, size_t len) {
  u_char *last = buf + len;
  if (log->action) buf = ngx_slprintf(buf, last, " while %s", log->action);
  auto *context = static_cast<ngx_http_log_ctx_t *>(log->data);
  ngx_http_request_t *r = context->current_request;
  if (r == nullptr) return buf;
  buf = ngx_slprintf(buf, last, ", internal request: \"%V\"", &r->uri);   // arguments may hold secrets
  if (r->upstream && r->upstream->peer.name) {
    buf = ngx_slprintf(buf, last, ", upstream: \"%V\"", r->upstream->peer.name);
  }
  return buf;
}

void forget(ngx_event_t &event) {
  if (event.timer_set) ngx_del_timer(&event);
  if (event.posted) {
    ngx_delete_posted_event(&event);
  }
}

void set_loopback(ngx_sockaddr_t &address, socklen_t &len, int family, in_port_t port) {
  ngx_memzero(&address, sizeof(address));
  address.sockaddr.sa_family = static_cast<sa_family_t>(family);
  len = sizeof(sockaddr_in);
  if (family == AF_INET) address.sockaddr_in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
#if (NGX_HAVE_INET6)
  if (family == AF_INET6) {
    address.sockaddr_in6.sin6_addr = in6addr_loopback;
    len = sizeof(sockaddr_in6);
  }
#endif
  ngx_inet_set_port(&address.sockaddr, port);
}

std::string text_of(const ngx_str_t &s) { return std::string(view(s)); }

// Of what was sent, or else of what nginx has kept from the filters because it is an error to it.
std::string location_of(ngx_http_request_t *r) {
  const ngx_table_elt_t *found = r->headers_out.location;
  if (found && found->hash == 0) found = nullptr;
  if (found == nullptr) found = find_header(r->headers_out.headers, "location");
  if (found == nullptr && r->upstream && r->upstream->headers_in.headers.part.elts) {
    found = find_header(r->upstream->headers_in.headers, "location");
  }
  return found ? text_of(found->value) : std::string();
}

// As nginx itself looks for it.
bool has_error_page(ngx_http_request_t *r, ngx_int_t status) {
  auto *core = static_cast<ngx_http_core_loc_conf_t *>(ngx_http_get_module_loc_conf(r, ngx_http_core_module));
  if (location_conf(r).enable || r->header_sent || r->error_page) return false;
  if (core->error_pages == nullptr || r->uri_changes == 0) return false;
  auto *pages = static_cast<ngx_http_err_page_t *>(core->error_pages->elts);
  for (ngx_uint_t i = 0; i < core->error_pages->nelts; ++i) {
    if (pages[i].status == status) return true;
  }
  return false;
}

// Of a result that is a status: nginx uses some to say that the client has gone.
ngx_uint_t status_of(ngx_int_t rc) {
  switch (rc) {
    case NGX_HTTP_REQUEST_TIME_OUT:
    case NGX_HTTP_CLOSE:
    case NGX_HTTP_CLIENT_CLOSED_REQUEST: return NGX_HTTP_BAD_GATEWAY;
    default: return static_cast<ngx_uint_t>(rc);
  }
}

ngx_http_core_main_conf_t &core_conf(ngx_http_request_t *r) {
  return *static_cast<ngx_http_core_main_conf_t *>(ngx_http_get_module_main_conf(r, ngx_http_core_module));
}

ngx_http_variable_value_t *new_variables(ngx_http_request_t *r) {
  size_t size = core_conf(r).variables.nelts * sizeof(ngx_http_variable_value_t);
  return static_cast<ngx_http_variable_value_t *>(ngx_pcalloc(r->pool, size));
}

using Server = ngx_http_core_srv_conf_t;

Server &server_of(ngx_http_request_t *r) {
  return *static_cast<Server *>(ngx_http_get_module_srv_conf(r, ngx_http_core_module));
}

}  // namespace

class InternalRequest::Connection : public ngx_connection_t {
public:
  /// Null: no memory.
  static Connection *create(ngx_http_request_t *r);
  /// The Connection of a request that has one, or null.
  static Connection *of(ngx_http_request_t *r);

  ~Connection();

  bool start(std::shared_ptr<InternalRequest> request, std::string_view uri, std::string_view args,
             size_t max_body, ngx_msec_t deadline, Done &&done);
  ngx_int_t header(ngx_http_request_t *r);
  ngx_int_t body(ngx_http_request_t *r, ngx_chain_t *in);

  /// The InternalRequest is done with it. Deletes it, now or when nothing runs any more.
  void abandon();

  void *user_data = nullptr;

private:
  Connection() : ngx_connection_t() {}

  bool init(ngx_http_request_t *r);
  void init_log(const ngx_http_core_loc_conf_t &core);
  void init_connection(ngx_connection_t *c);
  void init_event(ngx_event_t &event, ngx_event_handler_pt handler);
  bool init_request(const Server &server, ngx_http_addr_conf_t *address);
  ngx_http_request_t *subrequest(std::string_view uri, std::string_view args);
  bool keep(std::string_view bytes);
  bool is_complete() const;
  void take(ngx_int_t rc);
  void reap();

  static Connection *of(ngx_event_t *ev);
  static ngx_int_t on_finalize(ngx_http_request_t *r, void *data, ngx_int_t rc);
  static void on_write(ngx_event_t *ev);
  static void on_start(ngx_event_t *ev);
  static void on_finish(ngx_event_t *ev);
  static void on_deadline(ngx_event_t *ev);
  static void on_reap(ngx_event_t *ev);

  ngx_log_t log_ = {};
  ngx_http_log_ctx_t log_context_ = {};
  ngx_sockaddr_t peer_address_, local_address_;
  ngx_event_t read_ = {}, write_ = {}, start_ = {}, finish_ = {}, deadline_ = {}, reap_ = {};
  ngx_http_request_t *main_ = nullptr;

  // The get() that runs.
  std::shared_ptr<InternalRequest> request_;
  Done done_;
  ngx_http_request_t *subrequest_ = nullptr;
  InternalResponse response_;
  size_t max_body_ = 0;
  off_t announced_ = -1;      // Content-Length
  bool header_seen_ = false, end_seen_ = false, taken_ = false;

  bool aborted_ = false;
  ngx_uint_t reaps_ = 0;
};

// ---- the connection and its main request ---------------------------------------------------------

InternalRequest::Connection *InternalRequest::Connection::create(ngx_http_request_t *r) {
  std::unique_ptr<Connection> c(new (std::nothrow) Connection);
  return c && c->init(r) ? c.release() : nullptr;
}

InternalRequest::Connection *InternalRequest::Connection::of(ngx_http_request_t *r) {
  ngx_connection_t *c = r->connection;
  return c->recv == no_recv ? static_cast<Connection *>(c) : nullptr;
}

InternalRequest::Connection *InternalRequest::Connection::of(ngx_event_t *ev) {
  return static_cast<Connection *>(static_cast<ngx_connection_t *>(ev->data));
}

InternalRequest::Connection::~Connection() {
  if (main_) {
    ngx_http_cleanup_t *cleanup = main_->cleanup;
    main_->cleanup = nullptr;
    for (; cleanup; cleanup = cleanup->next) {   // closes connections to upstreams
      if (cleanup->handler) cleanup->handler(cleanup->data);
    }
  }
  for (ngx_event_t *event : {&read_, &write_, &start_, &finish_, &deadline_, &reap_}) forget(*event);
  log_context_.request = log_context_.current_request = nullptr;
  if (pool) ngx_destroy_pool(pool);
}

bool InternalRequest::Connection::init(ngx_http_request_t *r) {
  Server &server = server_of(r);
  init_log(*static_cast<ngx_http_core_loc_conf_t *>(server.ctx->loc_conf[ngx_http_core_module.ctx_index]));
  pool = ngx_create_pool(server.request_pool_size, &log_);
  if (pool == nullptr) return false;
  init_connection(r->connection);
  return init_request(server, r->main->http_connection->addr_conf);
}

void InternalRequest::Connection::init_log(const ngx_http_core_loc_conf_t &core) {
  number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
  log_ = *ngx_cycle->log;
  log_.connection = number;
  log_.handler = log_handler;
  log_.data = &log_context_;
  log_.action = nullptr;
  log = &log_;
  ngx_set_connection_log(this, core.error_log);
  log_context_.connection = this;
}

void InternalRequest::Connection::init_event(ngx_event_t &event, ngx_event_handler_pt handler) {
  event.data = static_cast<ngx_connection_t *>(this);   // debug logs read the descriptor there
  event.log = &log_;
  event.index = NGX_INVALID_INDEX;
  event.handler = handler;
}

void InternalRequest::Connection::init_connection(ngx_connection_t *c) {
  init_event(read_, ignore_event);
  init_event(write_, on_write);
  init_event(start_, on_start);
  init_event(finish_, on_finish);
  init_event(deadline_, on_deadline);
  init_event(reap_, on_reap);
  // In this state nginx adds neither to epoll, kqueue, poll or select, nor takes them out: it believes that
  // reading is being waited for, and that there is always room to write.
  read_.active = 1;
  write_.write = 1;
  write_.ready = 1;
  write_.active = (ngx_event_flags & NGX_USE_CLEAR_EVENT) != 0;
  read = &read_;
  write = &write_;

  fd = static_cast<ngx_socket_t>(-1);
  type = SOCK_STREAM;
  recv = no_recv;
  send = no_send;
  recv_chain = no_recv_chain;
  send_chain = no_send_chain;
  log_error = NGX_ERROR_INFO;
  sndlowat = 1;                                    // nothing is to be set on a socket
  tcp_nodelay = NGX_TCP_NODELAY_DISABLED;
  tcp_nopush = NGX_TCP_NOPUSH_DISABLED;
  requests = 1;
  start_time = ngx_current_msec;

  // Of the cycle's memory, which outlives every request of its worker.
  listening = c->listening;
  set_loopback(peer_address_, socklen, AF_INET, 0);
  sockaddr = &peer_address_.sockaddr;
  ngx_str_set(&addr_text, "127.0.0.1");
  if (c->local_sockaddr == nullptr || c->local_socklen > static_cast<socklen_t>(sizeof(local_address_))) {
    set_loopback(local_address_, local_socklen, AF_INET, 0);
  } else if (ngx_inet_wildcard(c->local_sockaddr)) {   // nginx would ask the socket
    in_port_t port = ngx_inet_get_port(c->local_sockaddr);
    set_loopback(local_address_, local_socklen, c->local_sockaddr->sa_family, port);
  } else {
    ngx_memcpy(&local_address_, c->local_sockaddr, c->local_socklen);
    local_socklen = c->local_socklen;
  }
  local_sockaddr = &local_address_.sockaddr;
}

bool InternalRequest::Connection::init_request(const Server &server, ngx_http_addr_conf_t *address) {
  auto *r = static_cast<ngx_http_request_t *>(ngx_pcalloc(pool, sizeof(ngx_http_request_t)));
  auto *hc = static_cast<ngx_http_connection_t *>(ngx_pcalloc(pool, sizeof(ngx_http_connection_t)));
  if (r == nullptr || hc == nullptr) return false;
  hc->addr_conf = address;
  hc->conf_ctx = server.ctx;

  r->signature = NGX_HTTP_MODULE;
  r->connection = this;
  r->http_connection = hc;
  r->pool = pool;
  r->main = r;
  r->main_conf = server.ctx->main_conf;
  r->srv_conf = server.ctx->srv_conf;
  r->loc_conf = server.ctx->loc_conf;
  r->read_event_handler = ignore_request;
  r->write_event_handler = ignore_request;

  r->ctx = static_cast<void **>(ngx_pcalloc(pool, sizeof(void *) * ngx_http_max_module));
  r->variables = new_variables(r);
  r->header_in = ngx_create_temp_buf(pool, 1);
  if (r->ctx == nullptr || r->variables == nullptr || r->header_in == nullptr) return false;
  for (ngx_list_t *list : {&r->headers_in.headers, &r->headers_out.headers, &r->headers_out.trailers}) {
    if (ngx_list_init(list, pool, 4, sizeof(ngx_table_elt_t)) != NGX_OK) return false;
  }

  r->method = NGX_HTTP_GET;
  r->http_version = NGX_HTTP_VERSION_11;
  ngx_str_set(&r->method_name, "GET");
  ngx_str_set(&r->http_protocol, "HTTP/1.1");
  ngx_str_set(&r->request_line, "GET / HTTP/1.1");
  ngx_str_set(&r->uri, "/");
  ngx_str_set(&r->unparsed_uri, "/");
  r->headers_in.server = server.server_name;
  r->headers_in.content_length_n = -1;
  r->headers_in.keep_alive_n = -1;
  r->headers_out.content_length_n = -1;
  r->headers_out.last_modified_time = -1;

  r->count = kCount;
  r->blocked = kBlocked;
  r->uri_changes = NGX_HTTP_MAX_URI_CHANGES + 1;
  r->subrequests = NGX_HTTP_MAX_SUBREQUESTS + 1;
  r->http_state = NGX_HTTP_PROCESS_REQUEST_STATE;
  r->internal = 1;
  r->logged = 1;
  r->limit_req_status = 1;    // both: passed. Limits are for clients.
  r->limit_conn_status = 1;
  r->start_sec = ngx_cached_time->sec;
  r->start_msec = ngx_cached_time->msec;

  data = main_ = r;
  log_context_.request = log_context_.current_request = r;
  return true;
}

// ---- asking --------------------------------------------------------------------------------------

ngx_http_request_t *InternalRequest::Connection::subrequest(std::string_view uri, std::string_view args) {
  ngx_str_t path = pool_string(pool, uri), query = pool_string(pool, args);
  using Post = ngx_http_post_subrequest_t;
  auto *post = static_cast<Post *>(ngx_palloc(pool, sizeof(Post)));
  ngx_http_variable_value_t *variables = new_variables(main_);
  if (!path.data || !query.data || post == nullptr || variables == nullptr) return nullptr;
  post->handler = on_finalize;
  post->data = this;

  ngx_uint_t count = main_->count;
  ngx_http_request_t *sr;
  if (ngx_http_subrequest(main_, &path, &query, &sr, post, 0) != NGX_OK ||
      ngx_list_init(&sr->headers_in.headers, pool, 8, sizeof(ngx_table_elt_t)) != NGX_OK) {
    main_->count = count;
    main_->postponed = nullptr;
    main_->posted_requests = nullptr;
    data = main_;
    return nullptr;
  }
  sr->variables = variables;   // nothing that was evaluated for an earlier one
  sr->filter_need_in_memory = 1;
  return sr;
}

bool InternalRequest::Connection::start(std::shared_ptr<InternalRequest> request, std::string_view uri,
                                        std::string_view args, size_t max_body, ngx_msec_t deadline,
                                        Done &&done) {
  bool idle = subrequest_ == nullptr && data == main_ && main_->postponed == nullptr;
  if (!idle || uri.empty() || uri[0] != '/') return false;
  error = 0;
  timedout = 0;
  write_.timedout = 0;
  write_.delayed = 0;
  subrequest_ = subrequest(uri, args);
  if (subrequest_ == nullptr) return false;

  request_ = std::move(request);
  done_ = std::move(done);
  response_ = InternalResponse();
  max_body_ = max_body;
  announced_ = -1;
  header_seen_ = end_seen_ = taken_ = false;
  ngx_add_timer(&deadline_, deadline);
  ngx_post_event(&start_, &ngx_posted_next_events);   // whoever asks again and again leaves timers their turn
  return true;
}

void InternalRequest::Connection::on_start(ngx_event_t *ev) { ngx_http_run_posted_requests(of(ev)); }

// As nginx's own handler of a client's connection.
void InternalRequest::Connection::on_write(ngx_event_t *ev) {
  Connection *c = of(ev);
  auto *r = static_cast<ngx_http_request_t *>(c->data);
  ngx_http_set_log_request(c->log, r);
  if (ev->delayed && ev->timedout) {
    ev->delayed = 0;
    ev->timedout = 0;
  }
  r->write_event_handler(r);
  ngx_http_run_posted_requests(c);
}

// ---- what is answered ----------------------------------------------------------------------------

// Nothing further down the filter chain sees it: that all believes in a client.
ngx_int_t InternalRequest::Connection::header(ngx_http_request_t *r) {
  r->header_sent = 1;
  r->filter_need_in_memory = 1;
  if (r != subrequest_ || taken_) return NGX_OK;   // nginx's own, to update a cache
  header_seen_ = true;
  announced_ = r->headers_out.content_length_n;
  response_.status = r->headers_out.status;
  response_.content_type = text_of(r->headers_out.content_type);
  response_.content_coding = content_coding(r->headers_out.headers);
  if (is_redirect(response_.status)) response_.location = location_of(r);
  return NGX_OK;
}

bool InternalRequest::Connection::keep(std::string_view bytes) {
  if (response_.too_large || bytes.size() > max_body_ - response_.body.size()) {
    response_.too_large = true;
    return false;
  }
  response_.body.append(bytes);
  return true;
}

ngx_int_t InternalRequest::Connection::body(ngx_http_request_t *r, ngx_chain_t *in) {
  bool ours = r == subrequest_ && !taken_, kept = true;
  for (; in; in = in->next) {
    ngx_buf_t *b = in->buf;
    if (ours && kept && !ngx_buf_special(b) && ngx_buf_size(b) > 0) {
      end_seen_ = false;
      auto size = static_cast<size_t>(b->last - b->pos);
      kept = ngx_buf_in_memory(b) && keep({reinterpret_cast<char *>(b->pos), size});
    }
    if (b->last_buf || b->last_in_chain) end_seen_ = end_seen_ || ours;
    b->pos = b->last;
    if (b->in_file) b->file_pos = b->file_last;
  }
  return kept ? NGX_OK : NGX_ERROR;   // an error: nginx need not read on
}

// An empty body of a subrequest may be sent without its end.
bool InternalRequest::Connection::is_complete() const {
  if (!header_seen_ || response_.status == 0) return false;   // 0: no HTTP, just a body
  if (subrequest_->header_only || response_.status == NGX_HTTP_NO_CONTENT ||
      response_.status == NGX_HTTP_NOT_MODIFIED) {
    return true;
  }
  return announced_ >= 0 ? static_cast<off_t>(response_.body.size()) >= announced_ : end_seen_;
}

void InternalRequest::Connection::take(ngx_int_t rc) {
  taken_ = true;
  ngx_post_event(&finish_, &ngx_posted_events);
  if (response_.too_large) {
    response_.status = NGX_HTTP_BAD_GATEWAY;
    response_.body.clear();
  } else if (rc >= NGX_HTTP_OK) {
    response_.status = status_of(rc);
    if (is_redirect(response_.status)) response_.location = location_of(subrequest_);
  } else if ((rc != NGX_OK && rc != NGX_AGAIN) || !is_complete()) {
    response_.status = NGX_HTTP_BAD_GATEWAY;
    response_.body.clear();
  }
}

// nginx calls it for each result of the subrequest and goes on with what it returns. What it gets is always
// success, or else it would answer a client with a page, or close its connection.
ngx_int_t InternalRequest::Connection::on_finalize(ngx_http_request_t *r, void *data, ngx_int_t rc) {
  auto *c = static_cast<Connection *>(data);
  c->error = 0;
  c->timedout = 0;
  if (r != c->subrequest_ || c->taken_) return NGX_OK;
  bool going_on = r->buffered || r->postponed;   // a thread reads a file, or the like: nginx comes again
  if (going_on && (rc == NGX_OK || rc == NGX_AGAIN)) return NGX_OK;
  if (rc >= NGX_HTTP_SPECIAL_RESPONSE && has_error_page(r, rc)) return rc;
  r->buffered = 0;
  guarded(0, [c, rc] {
    c->take(rc);
    return 0;
  });
  return NGX_OK;
}

// ---- its end -------------------------------------------------------------------------------------

void InternalRequest::Connection::on_finish(ngx_event_t *ev) {
  Connection *c = of(ev);
  forget(c->deadline_);
  forget(c->write_);
  c->subrequest_ = nullptr;
  auto request = std::move(c->request_);   // its last reference may go in what follows, and `c` with it
  Done done = std::move(c->done_);
  guarded(0, [&] {
    done(std::move(c->response_));
    return 0;
  });
}

void InternalRequest::Connection::on_deadline(ngx_event_t *ev) {
  Connection *c = of(ev);
  if (c->taken_) return;
  auto request = std::move(c->request_);
  Done done = std::move(c->done_);
  request->connection_ = nullptr;
  c->abandon();
  guarded(0, [&] {
    InternalResponse response;
    response.status = NGX_HTTP_GATEWAY_TIME_OUT;
    done(std::move(response));
    return 0;
  });
}

void InternalRequest::Connection::abandon() {
  user_data = nullptr;
  forget(deadline_);
  aborted_ = subrequest_ != nullptr;
  if (subrequest_) subrequest_->write_event_handler = ignore_request;
  subrequest_ = nullptr;
  reap();
}

// Threads that read files and waits for a cache's lock end by themselves, they cannot be called off. Updates
// of a cache that nginx has started behind an answer may end, too, unless they hang.
void InternalRequest::Connection::reap() {
  bool updating = !aborted_ && main_->count > kCount && ++reaps_ < kMaxReaps;
  if (main_->blocked > kBlocked || updating) {
    ngx_add_timer(&reap_, kReapInterval);
  } else {
    delete this;
  }
}

void InternalRequest::Connection::on_reap(ngx_event_t *ev) { of(ev)->reap(); }

// ---- InternalRequest -----------------------------------------------------------------------------

std::shared_ptr<InternalRequest> InternalRequest::create(ngx_http_request_t *r) {
  return guarded(std::shared_ptr<InternalRequest>(), [r]() -> std::shared_ptr<InternalRequest> {
    std::shared_ptr<InternalRequest> request(new InternalRequest);
    request->connection_ = Connection::create(r);
    return request->connection_ ? request : nullptr;
  });
}

InternalRequest::~InternalRequest() {
  // Where the process is about to exit, what its requests stand on is gone already.
  bool exiting = ngx_cycle->pool == nullptr;
  if (connection_ && !exiting) connection_->abandon();
}

bool InternalRequest::get(std::string_view uri, std::string_view args, size_t max_body, ngx_msec_t deadline,
                          Done done) {
  if (connection_ == nullptr) return false;
  return connection_->start(shared_from_this(), uri, args, max_body, deadline, std::move(done));
}

void InternalRequest::set_data(void *data) {
  if (connection_) connection_->user_data = data;
}

void *InternalRequest::data_of(ngx_http_request_t *r) {
  Connection *c = Connection::of(r);
  return c ? c->user_data : nullptr;
}

bool InternalRequest::owns(ngx_http_request_t *r) { return Connection::of(r) != nullptr; }

ngx_int_t InternalRequest::capture_header(ngx_http_request_t *r) {
  return guarded(static_cast<ngx_int_t>(NGX_ERROR), [r] { return Connection::of(r)->header(r); });
}

ngx_int_t InternalRequest::capture_body(ngx_http_request_t *r, ngx_chain_t *in) {
  return guarded(static_cast<ngx_int_t>(NGX_ERROR), [r, in] { return Connection::of(r)->body(r, in); });
}

}  // namespace hls_proxy
