import test from 'brittle'
import { type ServerRefusal, serverFailure } from '../../../../helpers/upstream/server-failure.js'

const NOW_MS = Date.UTC(2026, 0, 1)

function failure(status: number, body: string, more: Partial<ServerRefusal> = {}) {
  return serverFailure({ url: 'http://127.0.0.1:1', status, body, nowMs: NOW_MS, ...more })
}

test('should tell from the status what happened', (t) => {
  for (const [status, code] of [
    [301, 'ENGINE_UNREACHABLE'],
    [400, 'INVALID_REQUEST'],
    [401, 'CONFIG_INVALID'],
    [403, 'CONFIG_INVALID'],
    [404, 'ENGINE_UNREACHABLE'],
    [405, 'ENGINE_UNREACHABLE'],
    [408, 'ENGINE_CRASHED'],
    [413, 'PAYLOAD_TOO_LARGE'],
    [422, 'INVALID_REQUEST'],
    [429, 'OVERLOADED'],
    [500, 'ENGINE_CRASHED'],
    [501, 'NOT_SUPPORTED'],
    [502, 'ENGINE_CRASHED'],
    [503, 'OVERLOADED'],
    [200, 'ENGINE_CRASHED'],
    [204, 'ENGINE_CRASHED'],
  ] as const) {
    t.is(failure(status, '').code, code, String(status))
  }
})

test('should tell from the words of each server what is wrong', (t) => {
  const nested = JSON.stringify({
    error: { code: 400, message: 'request (8889 tokens)', type: 'exceed_context_size_error' },
  })
  for (const [status, body, code] of [
    [404, '{"error":"model \'x\' not found"}', 'MODEL_NOT_FOUND'],
    [404, '{"error":{"message":"The model `x` does not exist."}}', 'MODEL_NOT_FOUND'],
    [404, '{"detail":"Not Found"}', 'ENGINE_UNREACHABLE'],
    [400, JSON.stringify({ error: nested }), 'CONTEXT_TOO_LONG'],
    [400, nested, 'CONTEXT_TOO_LONG'],
    [400, '{"error":{"code":"context_length_exceeded","message":"x"}}', 'CONTEXT_TOO_LONG'],
    [400, '{"error":"the input length exceeds the context length"}', 'CONTEXT_TOO_LONG'],
    [
      400,
      '{"object":"error","message":"This model\'s maximum context length is 4096 tokens. However, you requested 5000"}',
      'CONTEXT_TOO_LONG',
    ],
    [500, '{"error":"the input length exceeds the context length"}', 'CONTEXT_TOO_LONG'],
    [
      400,
      '{"error":"the prompt is longer than the context length currently available to the model"}',
      'CONTEXT_TOO_LONG',
    ],
    [400, '{"error":"registry.ollama.ai/library/x does not support tools"}', 'NOT_SUPPORTED'],
    [400, '{"error":"invalid schema in format"}', 'INVALID_REQUEST'],
  ] as const) {
    t.is(failure(status, body).code, code, body)
  }
  const schema = failure(400, '{"error":"invalid schema in format"}', { hasSchema: true })
  t.is(schema.code, 'GRAMMAR_INVALID')
})

test('should show what is about the request alone, on one line and without the key', (t) => {
  const body = JSON.stringify({
    error: { message: `bad\u001b[31m\n\r\u202evalue sk-1 ${'x'.repeat(999)}` },
  })
  const { message, cause } = failure(400, body, { secret: 'sk-1' })
  t.ok(message.includes('bad [31m value [key] xxx'), message)
  t.ok(message.length < 400)
  t.absent(/sk-1/.test(`${message} ${cause}`))
  const crash = failure(500, '{"error":"open /root/models: sk-1"}', { secret: 'sk-1' })
  t.absent(crash.message.includes('/root'))
  t.ok(String(crash.cause).includes('/root'), 'which the operator finds in the log')
  t.absent(String(crash.cause).includes('sk-1'))
})

test('should say when to come back', (t) => {
  const waitMs = (retryAfter?: string) => failure(429, '', { retryAfter }).retryAfterMs
  t.is(waitMs(), undefined, 'what the server does not say is not made up')
  t.is(waitMs('0'), 0)
  t.is(waitMs('2.5'), 2500)
  t.is(waitMs('999999'), 600_000)
  t.is(waitMs('-5'), 0)
  t.is(waitMs('soon'), undefined)
  t.is(waitMs(new Date(NOW_MS + 30_000).toUTCString()), 30_000)
  t.is(waitMs(new Date(NOW_MS - 30_000).toUTCString()), 0)
})
