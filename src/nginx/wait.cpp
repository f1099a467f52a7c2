#include "wait.h"

#include "hls_proxy.h"
#include "zone.h"

namespace hls_proxy {

namespace {

constexpr ngx_msec_t kTick = 25;        // how soon another worker's result is seen
constexpr ngx_uint_t kLookAnyway = 10;  // ticks: a worker that was killed changes nothing in the zone

// One of each for the worker: a timer for all who wait, and only while somebody does.
ngx_event_t timer;
const Zone *watched;
ngx_atomic_uint_t seen_changes;
ngx_uint_t ticks;

}  // namespace

Wait::Wait(ngx_http_request_t *r, const Zone &zone, std::string_view stream, ngx_msec_t deadline, Resume resume)
    : r_(r), resume_(resume) {
  ngx_memzero(&event_, sizeof(event_));
  event_.handler = handle;
  event_.data = this;
  event_.log = ngx_cycle->log;
  ngx_add_timer(&event_, deadline);
  watch(zone);
  place_ = waiting().emplace(stream, this);
}

Wait::~Wait() {
  waiting().erase(place_);
  if (event_.timer_set) ngx_del_timer(&event_);
  if (event_.posted) {
    ngx_delete_posted_event(&event_);
  }
}

void Wait::begin(std::unique_ptr<Wait> &wait, ngx_http_request_t *r, const Zone &zone, std::string_view stream,
                 ngx_msec_t deadline, Resume resume) {
  if (!wait) wait = std::make_unique<Wait>(r, zone, stream, deadline, resume);
  r->read_event_handler = ngx_http_test_reading;
  r->write_event_handler = ngx_http_request_empty_handler;
}

void Wait::wake(std::string_view stream) {
  Waiting &all = waiting();
  auto [from, to] = stream.empty() ? std::make_pair(all.begin(), all.end()) : all.equal_range(stream);
  for (; from != to; ++from) ngx_post_event(&from->second->event_, &ngx_posted_events);
}

Wait::Waiting &Wait::waiting() {
  static auto *all = new Waiting;   // of the worker; its end is the process's
  return *all;
}

void Wait::handle(ngx_event_t *event) {
  auto *wait = static_cast<Wait *>(event->data);
  ngx_http_request_t *r = wait->r_;
  ngx_connection_t *c = r->connection;
  ngx_http_set_log_request(c->log, r);
  bool late = event->timedout;
  event->timedout = 0;
  wait->resume_(r, late);   // `wait` may be gone now
  ngx_http_run_posted_requests(c);
}

void Wait::watch(const Zone &zone) {
  if (timer.timer_set) return;
  watched = &zone;
  seen_changes = zone.changes();
  ticks = 0;
  timer.handler = tick;
  timer.data = &timer;
  timer.log = ngx_cycle->log;
  ngx_add_timer(&timer, kTick);
}

void Wait::tick(ngx_event_t *) {
  if (waiting().empty()) return;
  ngx_atomic_uint_t changes = watched->changes();
  if (changes != seen_changes || ++ticks % kLookAnyway == 0) wake({});
  seen_changes = changes;
  ngx_add_timer(&timer, kTick);
}

}  // namespace hls_proxy
