// Requests that wait until something about a stream changes: a resolve that ends, here or in another worker, a
// fresh playlist that arrives. Who waits is woken and looks again; what it waited for need not have come.

#ifndef NGX_HTTP_HLS_PROXY_WAIT_H
#define NGX_HTTP_HLS_PROXY_WAIT_H

extern "C" {
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
}

#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace hls_proxy {

class Zone;

class Wait {
public:
  /// Runs in an event of its own. `late`: the deadline is over.
  using Resume = void (*)(ngx_http_request_t *r, bool late);

  /// Waits until it is destroyed, or `deadline` (ms) is over. `zone`: whose changes by other workers matter.
  Wait(ngx_http_request_t *r, const Zone &zone, std::string_view stream, ngx_msec_t deadline, Resume resume);
  Wait(const Wait &) = delete;
  ~Wait();

  /// Makes `wait`, unless it is there, and has the request notice only that its client leaves.
  static void begin(std::unique_ptr<Wait> &wait, ngx_http_request_t *r, const Zone &zone, std::string_view stream,
                    ngx_msec_t deadline, Resume resume);

  ngx_msec_t since() const { return since_; }

  /// Wakes all who wait for the stream in this worker; empty: for any.
  static void wake(std::string_view stream);

private:
  static void handle(ngx_event_t *event);
  static void tick(ngx_event_t *event);
  static void watch(const Zone &zone);

  using Waiting = std::multimap<std::string, Wait *, std::less<>>;   // by stream; ordered, as clients choose the keys
  static Waiting &waiting();

  ngx_http_request_t *r_;
  Resume resume_;
  Waiting::iterator place_;
  ngx_msec_t since_ = ngx_current_msec;
  ngx_event_t event_;      // posted to wake; its timer is the deadline
};

}  // namespace hls_proxy

#endif
