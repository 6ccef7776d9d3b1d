import test from 'brittle'
import { tokenChunks } from '../../../../helpers/protocol/token-chunk.js'
import { readAll } from '../../../helpers/network/call-service.js'
import { tokenAt } from '../../../helpers/network/sample-streams.js'
import { rejectionOf, until } from '../../../helpers/until.js'
import { gatewayScene } from '../../../helpers/workers/gateway-scene.js'

const FINGERPRINT = 'ab'.repeat(32)

/** A message with the tokens at these positions. */
const tokens = (...indexes: number[]) => tokenChunks.encode(indexes.map(tokenAt))

test('should pass on what the processor says of the answer, with the seed and the model', async (t) => {
  const { infer, connectAuth, connectSending } = await gatewayScene(t)
  connectAuth()
  const head = { reproducibility: 'machine', fingerprint: FINGERPRINT } as const
  await connectSending(head, tokens(0), tokens(1, 2, 3))
  const answer = infer({ options: { seed: 5 } })
  t.alike(await answer.head(), { ...head, seed: 5, model: 'sent' })
  t.alike((await readAll(answer)).chunks, [0, 1, 2, 3].map(tokenAt))
})

test('should end the answer, count it and keep the connection when a processor breaks the protocol', async (t) => {
  const lying = Buffer.from(tokens(1, 2, 3))
  lying[1] = 2
  const answers: Record<string, readonly Uint8Array[]> = {
    'skips a token': [tokens(0), tokens(2)],
    'sends a token twice': [tokens(0, 1), tokens(1)],
    'sends tokens of another answer': [tokens(12)],
    'lies about a count': [tokens(0), lying],
    'sends JSON where binary was said': [Buffer.from(JSON.stringify(tokenAt(0)))],
  }
  for (const [name, messages] of Object.entries(answers)) {
    const { gateway, infer, connectAuth, connectSending } = await gatewayScene(t)
    connectAuth()
    const { connection, log } = await connectSending({}, ...messages)
    t.is(Object(await rejectionOf(readAll(infer()))).code, 'PROTOCOL_VIOLATION', name)
    await until('the processor to be told', () => log.running === 0)
    const broken = gateway.metrics.find((metric) => metric.name === 'brokenAnswers')
    t.is(broken?.value(), 1)
    t.ok(connection.isOpen)
    t.is(
      Object(await rejectionOf(readAll(infer()))).code,
      'PROTOCOL_VIOLATION',
      'and is asked again',
    )
  }
})

test('should pass no token on that comes after a gap', async (t) => {
  const { infer, connectAuth, connectSending } = await gatewayScene(t)
  connectAuth()
  await connectSending({}, tokens(0), tokens(2), tokens(3))
  const answer = infer()
  t.alike((await answer.next()).value, tokenAt(0))
  t.is(Object(await rejectionOf(answer.next())).code, 'PROTOCOL_VIOLATION')
})
