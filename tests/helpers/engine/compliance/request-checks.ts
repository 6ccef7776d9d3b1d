import type { Engine, GenerateRequest } from '../../../../facilities/engine/engine.js'
import { generationOptionsSchema } from '../../../../helpers/protocol/generation-options.js'
import { answer, collect } from '../tiny-llama.js'
import { type ComplianceSubject, codeOf, FOREVER, requestOf } from './subject.js'

/** Invalid options; each replaces a valid one. */
const WRONG_OPTIONS: readonly object[] = [
  { maxTokens: 0 },
  { maxTokens: 2.5 },
  { maxTokens: Number.MAX_SAFE_INTEGER },
  { maxTokens: 1e300 },
  { maxTokens: null },
  { temperature: Number.NaN },
  { temperature: null },
  { temperature: -1 },
  { temperature: '1' },
  { topP: 0 },
  { topP: Number.POSITIVE_INFINITY },
  { topK: -1 },
  { topK: 2 ** 31 },
  { minP: 2 },
  { repeatPenalty: Number.NaN },
  { presencePenalty: 1e9 },
  { frequencyPenalty: [] },
  { dryMultiplier: -1 },
  { dryBase: 0 },
  { dryAllowedLength: 0.5 },
  { seed: -1 },
  { seed: 2 ** 53 },
  { seed: 0.5 },
  { stop: 'x' },
  { stop: [''] },
  { stop: [null] },
  { stop: Array.from({ length: 17 }, () => 'x') },
  { stop: ['x'.repeat(257)] },
  { logitBias: { x: 1 } },
  { logitBias: { '1': Number.NaN } },
  { logitBias: { '1': 1e9 } },
  { logprobs: 1000 },
  { jsonSchema: 'object' },
  { thinking: 'yes' },
  { tools: [{ type: 'function', function: { name: 'not a name' } }] },
  { unknown: 1 },
]

/** Invalid requests; each replaces a valid part. */
const WRONG_REQUESTS: readonly object[] = [
  { messages: [] },
  { messages: null },
  { messages: [{ role: 'user' }] },
  { messages: [{ role: 'user', content: 1 }] },
  { messages: [{ role: 'nobody', content: 'x' }] },
  { messages: { length: 1 } },
  { options: null },
  { options: undefined },
  { resumeFrom: [-1] },
  { resumeFrom: [0.5] },
  { resumeFrom: [2 ** 40] },
  { resumeFrom: 'x' },
  { resumeFrom: [null] },
]

/** Invalid requests, and requests that the engine does not support. */
export function requestChecks(subject: ComplianceSubject): void {
  const first = (engine: Engine, request: GenerateRequest) =>
    engine.generate(request, FOREVER).next()

  if (subject.can('chat')) {
    subject.test(
      'should answer as is best for its model when a request leaves that open',
      async (t) => {
        const engine = await subject.shared()
        const { messages } = requestOf(subject.prompt(0))
        const options = generationOptionsSchema.parse({ maxTokens: 8 })
        const { end } = await collect(engine.generate({ messages, options }, FOREVER))
        t.is(end.completionTokens, 8)
      },
    )

    subject.test(
      'should fail with INVALID_REQUEST and go on when options are out of bounds',
      async (t) => {
        const engine = await subject.shared()
        const beside = answer(engine, subject.prompt(0), { maxTokens: 8 })
        const right = requestOf(subject.prompt(0))
        for (const wrong of WRONG_OPTIONS) {
          const options = Object.assign({ ...right.options }, wrong)
          const code = await codeOf(first(engine, { ...right, options }))
          t.is(code, 'INVALID_REQUEST', JSON.stringify(wrong))
        }
        for (const wrong of WRONG_REQUESTS) {
          const code = await codeOf(first(engine, Object.assign({ ...right }, wrong)))
          t.is(code, 'INVALID_REQUEST', JSON.stringify(wrong))
        }
        t.is((await beside).end.completionTokens, 8)
      },
    )
  }

  subject.test(
    'should fail with NOT_SUPPORTED when it is asked for what it cannot do',
    async (t) => {
      const engine = await subject.shared()
      const request = requestOf(subject.prompt(0), { maxTokens: 2 })
      const { messages, options } = request
      const withOptions = (more: object) => () =>
        first(engine, { messages, options: { ...options, ...more } })
      const uses = {
        chat: () => first(engine, request),
        resume: () => first(engine, { ...request, resumeFrom: [1] }),
        'logit-bias': withOptions({ logitBias: { '1': -1 } }),
        logprobs: withOptions({ logprobs: 0 }),
        dry: withOptions({ dryMultiplier: 1 }),
        'json-schema': withOptions({ jsonSchema: { type: 'object' } }),
        tools: withOptions({ tools: [{ type: 'function', function: { name: 'now' } }] }),
        thinking: withOptions({ thinking: true }),
        tokens: () => engine.tokenize('x').then(() => engine.detokenize([1])),
        template: () => engine.applyTemplate(messages),
        embed: () => engine.embed(['x'], FOREVER),
      } as const
      for (const [capability, use] of Object.entries(uses)) {
        const known = Object.keys(uses).find((one): one is keyof typeof uses => one === capability)
        if (known === undefined || subject.can(known)) continue
        t.is(await codeOf(use()), 'NOT_SUPPORTED', capability)
      }
      t.pass('everything else is checked by its own test')
    },
  )
}
