-- One chat completion after the other, with the body of the file BODY. Counts the answers that are 200.
local threads = {}
function setup(thread) table.insert(threads, thread) end

answered, failures = 0, 0
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer " .. os.getenv("TOKEN")
if os.getenv("PORTKEY_HOST") then
   wrk.headers["x-portkey-provider"] = "openai"
   wrk.headers["x-portkey-custom-host"] = os.getenv("PORTKEY_HOST")
end
local file = io.open(os.getenv("BODY"), "rb")
wrk.body = file:read("*a")
file:close()

function response(status)
   if status == 200 then answered = answered + 1 else failures = failures + 1 end
end

function done(summary, latency)
   local sum, failed = 0, 0
   for _, thread in ipairs(threads) do
      sum = sum + thread:get("answered")
      failed = failed + thread:get("failures")
   end
   io.write(string.format('RESULT {"per_second":%.1f,"failures":%d,"p50_us":%d,"p99_us":%d}\n',
      sum / summary.duration * 1e6, failed + summary.errors.connect + summary.errors.timeout,
      latency:percentile(50), latency:percentile(99)))
end
