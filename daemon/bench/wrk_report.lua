-- Called by wrk at its end: says what it saw in one line that wrk.py reads.
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '{"requests": %d, "bytes": %d, "microseconds": %d, "errors": %d, "p99_microseconds": %d}\n',
    summary.requests, summary.bytes, summary.duration, e.connect + e.read + e.write + e.status + e.timeout, latency:percentile(99)))
end
