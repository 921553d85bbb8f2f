-- A request for each of many people in turn, and a line of JSON with the results.
-- Arguments: METHOD PATH HEADERS_FILE BODY; in BODY, %d becomes a number that rises. HEADERS_FILE has a line of headers a person.

local requests, heads, next_one, counter = {}, {}, 0, 0
local method, path, body

function init(args)
  method, path, body = args[1], args[2], args[4]
  for line in io.lines(args[3]) do heads[#heads + 1] = (line:gsub("\\n", "\r\n")) end
  -- Ahead of all that earlier rounds have sent, below a million requests a second.
  counter = os.time() * 1e6
end

function request()
  next_one = next_one % #heads + 1
  if not body then
    local built = requests[next_one]
    if not built then
      built = method .. " " .. path .. " HTTP/1.1\r\nHost: localhost\r\n" .. heads[next_one] .. "\r\n\r\n"
      requests[next_one] = built
    end
    return built
  end
  counter = counter + 1
  local text = body:gsub("%%d", string.format("%.0f", counter))
  return method .. " " .. path .. " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
    .. #text .. "\r\n" .. heads[next_one] .. "\r\n\r\n" .. text
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"seconds":%f,"p50":%f,"p99":%f,"refused":%d,"failed":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
