// A request that no client has made: it asks one location of this nginx after the other and keeps what
// they answer. It belongs to nobody, so that whoever caused it may leave, and carries nothing of a client's.
//
//   auto request = InternalRequest::create(r);       // r: any request of the server that is meant
//   request->get("/_resolve", "name=x", 65536, deadline, [](const InternalResponse &response) { … });
//
// Rewrites, try_files, X-Accel-Redirect and error_page of the location apply; with `hls_proxy on` there,
// error_page does not: the caller gets the status itself.

#ifndef NGX_HTTP_HLS_PROXY_INTERNAL_REQUEST_H
#define NGX_HTTP_HLS_PROXY_INTERNAL_REQUEST_H

extern "C" {
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
}

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace hls_proxy {

struct InternalResponse {
  ngx_uint_t status = 0;        // 502 for what ended without an answer or was cut off, 504 for the deadline
  std::string content_type;
  std::string content_coding;   // all values of Content-Encoding, joined; the body is as it was sent
  std::string location;         // of a redirect
  std::string body;             // of any status; empty where it was cut off or too large
  bool too_large = false;       // the body was longer than the limit; status is 502
};

class InternalRequest : public std::enable_shared_from_this<InternalRequest> {
public:
  /// Null: no memory. Nothing of `r` is kept but its server's configuration.
  static std::shared_ptr<InternalRequest> create(ngx_http_request_t *r);

  InternalRequest(const InternalRequest &) = delete;
  ~InternalRequest();

  using Done = std::function<void(InternalResponse &&response)>;

  /// GET of an internal or any other location. `uri` decoded, `args` raw, `deadline` in ms from now.
  /// `done` is called once, never before this returns, from the event loop; it may start the next get() or
  /// drop the last reference. False: not started, `done` is not called. One at a time, and none after a
  /// deadline has passed.
  bool get(std::string_view uri, std::string_view args, size_t max_body, ngx_msec_t deadline, Done done);

  /// Hands something of the caller's to the phase handlers of the locations asked (link_phase).
  void set_data(void *data);

  /// Of any request: the InternalRequest's data where it is a subrequest of one; null otherwise.
  static void *data_of(ngx_http_request_t *r);
  /// Whether a response is for an InternalRequest: what the header and body filters ask first.
  static bool owns(ngx_http_request_t *r);
  /// In place of the rest of the filter chain, where owns().
  static ngx_int_t capture_header(ngx_http_request_t *r);
  static ngx_int_t capture_body(ngx_http_request_t *r, ngx_chain_t *in);

private:
  class Connection;

  InternalRequest() = default;

  Connection *connection_ = nullptr;   // null once a deadline has passed
};

}  // namespace hls_proxy

#endif
