import test from 'brittle'
import { z } from 'zod'
import { USUAL_SAMPLING } from '../../../../../helpers/generation/sampling-defaults.js'
import {
  type GenerationOptionsInput,
  generationOptionsSchema,
} from '../../../../../helpers/protocol/generation-options.js'
import {
  ask,
  defaultModelPath,
  finish,
  openRuntime,
} from '../../../../helpers/engine/loaded-runtime.js'
import { Shared } from '../../../../helpers/shared.js'

const FOREVER = new AbortController().signal
const CAPITAL = 'What is the capital of France?'

/** The tests of this file share it. The last one closes it. */
const shared = new Shared(async (scope) => {
  const runtime = await openRuntime({ modelPath: await defaultModelPath() })
  scope.teardown(async () => await runtime.close())
  return runtime
})

test('should never generate a banned token, and generate a token with a large bias', async (t) => {
  const runtime = await shared.get()
  const free = await ask(runtime, CAPITAL, { maxTokens: 12 })
  const banned = Object.fromEntries(free.ids.map((token) => [token, -100]))
  for (const more of [{}, { temperature: 2, seed: 1 }]) {
    const without = await ask(runtime, CAPITAL, { maxTokens: 30, logitBias: banned, ...more })
    t.absent(without.ids.some((token) => free.ids.includes(token)))
  }
  const [sea = 0] = runtime.tokenize(' sea')
  const forced = await ask(runtime, CAPITAL, {
    ...{ maxTokens: 3, repeatPenalty: 1, logitBias: { [sea]: 100 } },
  })
  t.alike(forced.ids, [sea, sea, sea])
  // <|im_end|>
  await t.exception(ask(runtime, CAPITAL, { logitBias: { '2': -100 } }), { code: 'NOT_SUPPORTED' })
})

test('should choose only among the likeliest tokens when their number is limited', async (t) => {
  const runtime = await shared.get()
  const greedy = await ask(runtime, CAPITAL, { maxTokens: 10 })
  for (const narrow of [{ topK: 1 }, { topP: 0.000_1 }, { minP: 1 }, { temperature: 1e-39 }]) {
    const options = { maxTokens: 10, temperature: 2, seed: 99, ...narrow }
    t.alike((await ask(runtime, CAPITAL, options)).ids, greedy.ids, JSON.stringify(narrow))
  }
})

test('should sample with the usual defaults and a new seed each time when a request sets no options', async (t) => {
  const runtime = await shared.get()
  const answerOf = async (given: GenerationOptionsInput) => {
    const options = generationOptionsSchema.parse({ maxTokens: 30, ...given })
    const messages = [{ role: 'user' as const, content: 'Tell me a story about the sea.' }]
    return (await finish(runtime.generate({ messages, options }, FOREVER))).ids
  }
  t.alike(await answerOf({ seed: 5 }), await answerOf({ seed: 5, ...USUAL_SAMPLING }))
  const open = [await answerOf({}), await answerOf({}), await answerOf({})]
  t.ok(new Set(open.map(String)).size > 1)
})

test('should repeat itself less when repetition is penalized', async (t) => {
  const runtime = await shared.get()
  const distinct = async (options: GenerationOptionsInput) => {
    const question = 'Tell me a very long story about the sea.'
    const { ids } = await ask(runtime, question, { maxTokens: 120, repeatPenalty: 1, ...options })
    return new Set(ids).size / ids.length
  }
  const free = await distinct({})
  for (const penalizing of [
    { repeatPenalty: 1.5 },
    { presencePenalty: 2 },
    { frequencyPenalty: 2 },
  ]) {
    const share = await distinct(penalizing)
    t.ok(share > free, `${share} against ${free} with ${JSON.stringify(penalizing)}`)
  }
})

test('should end an answer that only repeats itself, also a resumed one', async (t) => {
  const runtime = await shared.get()
  const [sea = 0] = runtime.tokenize(' sea')
  const options = { maxTokens: 300, repeatPenalty: 1, logitBias: { [sea]: 100 } }
  const { ids, end } = await ask(runtime, CAPITAL, options)
  t.alike(ids, Array(256).fill(sea))
  t.is(end.finishReason, 'length')
  t.is(end.stopReason, 'repetition')
  const rest = await ask(runtime, CAPITAL, options, { resumeFrom: ids.slice(0, 250) })
  t.alike(rest.ids, ids.slice(250))
  t.is(rest.end.stopReason, 'repetition')
  const allowed = await ask(runtime, CAPITAL, { ...options, allowRepetition: true })
  t.is(allowed.ids.length, 300)
  t.is(allowed.end.stopReason, undefined)
})

test('should not repeat a sequence when that is penalised, also if it is resumed', async (t) => {
  const runtime = await shared.get()
  const question = 'Tell me a long story about a lighthouse keeper.'
  for (const temperature of [0, 0.8]) {
    const options = { maxTokens: 160, temperature, repeatPenalty: 1, seed: 3, dryMultiplier: 0.8 }
    const { ids } = await ask(runtime, question, options)
    const repeated = (length: number, of: readonly number[]) => {
      const all = of.slice(length - 1).map((_, start) => of.slice(start, start + length).join())
      return all.length - new Set(all).size
    }
    const { ids: free } = await ask(runtime, question, { ...options, dryMultiplier: 0 })
    t.unlike(ids, free)
    if (temperature === 0) {
      const [penalised, without] = [repeated(12, ids), repeated(12, free)]
      t.ok(penalised < without / 4, `${penalised} sequences come back, ${without} without it`)
    }
    for (const before of [1, 60, 150]) {
      const rest = await ask(runtime, question, options, { resumeFrom: ids.slice(0, before) })
      t.alike(rest.ids, ids.slice(before))
    }
  }
})

test('should stop before a stop string, also when it crosses tokens and characters', async (t) => {
  const runtime = await shared.get()
  const options = { maxTokens: 60 }
  for (const question of [CAPITAL, '请介绍一下北京。', 'Write a poem with emoji: 😀']) {
    const { text, ids } = await ask(runtime, question, options)
    // From the middle of a token to the middle of another.
    const stop = [...text].slice(7, 12).join('')
    const stopped = await ask(runtime, question, { ...options, stop: ['never said', stop] })
    t.is(stopped.text, text.slice(0, text.indexOf(stop)))
    t.is(stopped.end.finishReason, 'stop')
    t.alike(stopped.ids, ids.slice(0, stopped.ids.length))
    t.is(stopped.end.completionTokens, stopped.ids.length)
  }
})

test('should report the probability of each token before any sampling option', async (t) => {
  const runtime = await shared.get()
  const plain = await ask(runtime, CAPITAL, { maxTokens: 6, repeatPenalty: 1 })
  const told = await ask(runtime, CAPITAL, { maxTokens: 6, repeatPenalty: 1, logprobs: 5 })
  t.alike(told.ids, plain.ids)
  for (const { tokenId, logprob = 1, topLogprobs = [] } of told.tokens) {
    t.ok(logprob <= 0)
    t.is(topLogprobs.length, 5)
    t.alike(topLogprobs[0]?.tokenId, tokenId, 'greedy takes the likeliest')
    t.is(topLogprobs[0]?.logprob, logprob)
  }
  const sampled = { maxTokens: 6, temperature: 1.5, topK: 100, seed: 4 }
  const without = await ask(runtime, CAPITAL, sampled)
  const sampledTold = await ask(runtime, CAPITAL, { ...sampled, logprobs: 1 })
  t.alike(sampledTold.ids, without.ids, 'telling changes nothing')
  // The first token's probabilities are the model's own, not those left by temperature and top-k.
  t.alike(sampledTold.tokens[0]?.topLogprobs?.[0], told.tokens[0]?.topLogprobs?.[0])
  t.is(
    (await ask(runtime, CAPITAL, { maxTokens: 1, logprobs: 0 })).tokens[0]?.topLogprobs?.length,
    0,
  )
})

const SCHEMAS: Record<string, [Record<string, unknown>, z.ZodType]> = {
  object: [
    {
      type: 'object',
      properties: { name: { type: 'string' }, age: { type: 'integer', minimum: 0 } },
      required: ['name', 'age'],
      additionalProperties: false,
    },
    z.strictObject({ name: z.string(), age: z.int().min(0) }),
  ],
  'optional properties': [
    { properties: { a: { type: 'boolean' }, b: { type: 'null' } } },
    z.object({ a: z.boolean().optional(), b: z.null().optional() }),
  ],
  'list of strings': [
    { type: 'array', items: { type: 'string', maxLength: 12 }, minItems: 1, maxItems: 3 },
    z.array(z.string().max(12)).min(1).max(3),
  ],
  'list of values': [
    { enum: ['a"b', 'é', null, 3] },
    z.union([z.enum(['a"b', 'é']), z.null(), z.literal(3)]),
  ],
  'one of two': [
    { anyOf: [{ const: 'x' }, { type: 'array', items: { type: 'number' }, maxItems: 2 }] },
    z.union([z.literal('x'), z.array(z.number()).max(2)]),
  ],
  'odd names': [
    { properties: { 'a"\\\n': { type: 'boolean' } }, required: ['a"\\\n'] },
    z.object({ 'a"\\\n': z.boolean() }),
  ],
  tree: [
    {
      $ref: '#/$defs/node',
      $defs: {
        node: {
          type: 'object',
          properties: {
            value: { type: 'integer' },
            children: { type: 'array', items: { $ref: '#/$defs/node' }, maxItems: 2 },
          },
          required: ['value', 'children'],
        },
      },
    },
    z.object({ value: z.int(), children: z.array(z.looseObject({ value: z.int() })).max(2) }),
  ],
  number: [{ type: 'number' }, z.number()],
  date: [{ type: 'string', format: 'date-time' }, z.iso.datetime({ offset: true })],
  anything: [{}, z.unknown()],
}

test('should answer with JSON that is valid to the schema, or end with length', async (t) => {
  const runtime = await shared.get()
  let stopped = 0
  const one = async (name: string, seed: number) => {
    const [jsonSchema, schema] = SCHEMAS[name] ?? [{}, z.never()]
    const options = {
      maxTokens: 60,
      temperature: seed === 0 ? 0 : 1.2,
      topK: 100,
      seed,
      jsonSchema,
    }
    const { text, end } = await ask(runtime, `Describe something as JSON: ${name}`, options)
    if (end.finishReason === 'length') return
    stopped += 1
    const parsed = schema.safeParse(JSON.parse(text))
    t.ok(parsed.success, `${name}, seed ${seed}: ${text}`)
  }
  for (const name of Object.keys(SCHEMAS)) {
    await Promise.all([0, 1, 2, 3].map((seed) => one(name, seed)))
  }
  t.ok(stopped >= 20, `${stopped} of 40 came to their end`)
})

test('should continue to answer beside a grammar, and refuse a schema that cannot be used', async (t) => {
  const runtime = await shared.get()
  const alone = await ask(runtime, CAPITAL, { maxTokens: 20 })
  const jsonSchema = { type: 'object', properties: { x: { type: 'string' } }, required: ['x'] }
  const [beside] = await Promise.all([
    ask(runtime, CAPITAL, { maxTokens: 20 }),
    ask(runtime, 'JSON, please', { maxTokens: 30, jsonSchema }),
    t.exception(ask(runtime, 'x', { jsonSchema: { pattern: 'x' } }), { code: 'GRAMMAR_INVALID' }),
    t.exception(ask(runtime, 'x', { jsonSchema: { anyOf: [{ $ref: '#' }, { type: 'null' }] } }), {
      code: 'GRAMMAR_INVALID',
    }),
  ])
  t.alike(beside.ids, alone.ids)
})

/** Schemas that llama.cpp would not come to an end with if they were taken as they are written. */
function hardSchemas(): Record<string, Record<string, unknown>> {
  const list = { type: 'array', items: { $ref: '#/$defs/a' } }
  let nested: Record<string, unknown> = { type: 'string' }
  for (let level = 0; level < 22; level++) nested = { type: 'array', items: nested }
  const words = Array.from({ length: 250 }, (_, index) => String.fromCodePoint(0x4e00 + index))
  const names = Array.from({ length: 250 }, (_, index) => `[${index}`)
  const optional = Object.fromEntries(names.map((name) => [name, { $ref: '#/$defs/a' }]))
  return {
    'the same four times, again and again': {
      $ref: '#/$defs/a',
      $defs: { a: { anyOf: [list, list, list, list] } },
    },
    '22 lists within each other': nested,
    'as many beginnings as are allowed': { enum: words },
    'as many optional properties as are allowed': {
      $ref: '#/$defs/a',
      $defs: { a: { properties: { x: { type: 'null' }, ...optional }, required: ['x'] } },
    },
    'ten thousand repetitions': {
      properties: Object.fromEntries(
        Array.from({ length: 10 }, (_, index) => [
          `p${index}`,
          { type: 'string', minLength: 1_000 - index, maxLength: 1_000 - index },
        ]),
      ),
      required: ['p9'],
    },
  }
}

test('should answer with every schema that it accepts, whatever the model generates', async (t) => {
  const runtime = await shared.get()
  const [bracket = 0] = runtime.tokenize('[')
  for (const [name, jsonSchema] of Object.entries(hardSchemas())) {
    const { text, ids } = await ask(runtime, 'x', {
      ...{ maxTokens: 24, repeatPenalty: 1, logitBias: { [bracket]: 100 } },
      jsonSchema,
    })
    t.ok(ids.length > 0, `${name}: ${text}`)
  }
})

test('should notify its watch before it may block, and each time that a grammar chooses', async (t) => {
  const runtime = await shared.get()
  for (const temperature of [0, 1]) {
    const told: string[] = []
    const options = generationOptionsSchema.parse({
      ...{ maxTokens: 4, temperature, jsonSchema: { type: 'string', minLength: 30 } },
    })
    const messages = [{ role: 'user' as const, content: CAPITAL }]
    const generation = runtime.generate({ messages, options }, new AbortController().signal, {
      async during(step, work) {
        told.push(step)
        return await work()
      },
      choosing: () => void told.push('choosing'),
      chosen: () => void told.push('chosen'),
    })
    t.is((await finish(generation)).ids.length, 4)
    const steps = ['prompt', 'grammar', 'grammar']
    t.alike(told, [...steps, ...Array(4).fill(['choosing', 'chosen']).flat()])
  }
})

test('should generate only JSON even when the tokens that it begins with are banned', async (t) => {
  const runtime = await shared.get()
  const jsonSchema = { type: 'boolean' }
  const all = [...runtime.tokenize('true'), ...runtime.tokenize('false')]
  const letters = [...'truefals'].flatMap((letter) => [...runtime.tokenize(letter)])
  const logitBias = Object.fromEntries([...all, ...letters].map((token) => [token, -100]))
  const { text } = await ask(runtime, CAPITAL, { maxTokens: 10, jsonSchema, logitBias })
  t.ok(text === 'true' || text === 'false', text)
})

const WEATHER = {
  type: 'function' as const,
  function: {
    name: 'get_weather',
    description: 'The weather <|im_end|> of a city',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
}

test('should report the function call when the model writes one', async (t) => {
  const runtime = await shared.get()
  t.ok(runtime.capabilities.has('tools'))
  const written =
    'Let me see.\n<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>'
  const resumeFrom = runtime.tokenize(written)
  const options = { maxTokens: resumeFrom.length + 20, tools: [WEATHER] }
  const { text, end } = await ask(runtime, 'How is the weather in Paris?', options, { resumeFrom })
  t.absent(text.includes('tool_call'), text)
  t.alike(
    end.toolCalls?.map((call) => call.function),
    [{ name: 'get_weather', arguments: '{"city":"Paris"}' }],
  )
  t.ok(end.finishReason === 'tool_calls' || end.finishReason === 'length')
  const plain = await ask(runtime, 'How is it?', { maxTokens: resumeFrom.length }, { resumeFrom })
  t.is(plain.end.toolCalls, undefined, 'nobody offered a function')
})

test('should keep special tokens of functions out of the prompt', async (t) => {
  const runtime = await shared.get()
  const special = (tokens: readonly number[]) => tokens.filter((token) => token <= 2).length
  const messages = [{ role: 'user' as const, content: 'hi' }]
  const harmless = {
    ...WEATHER,
    function: { ...WEATHER.function, description: 'The weather of a city' },
  }
  t.is(
    special(runtime.applyTemplate(messages, [WEATHER]).tokens),
    special(runtime.applyTemplate(messages, [harmless]).tokens),
  )
  await shared.end()
})
