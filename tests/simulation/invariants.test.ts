import test from 'brittle'
import { VirtualTime } from '../helpers/clock/virtual-time.js'
import type { MemoryHost, MemoryLink } from '../helpers/network/memory/memory-network.js'
import { createInvariants } from './invariants/all-invariants.js'
import type { MeshAtRest } from './invariants/invariant.js'
import type { Observation } from './invariants/observation.js'

const REST: MeshAtRest = { processors: [], streams: [], links: [], unanswered: [] }
const request = 'client-1/1'

/** The names of the invariants that are violated by what happens, each at its time. */
function violatedBy(
  happened: readonly (readonly [atMs: number, Observation])[],
  rest: Partial<MeshAtRest> = {},
): string[] {
  const invariants = createInvariants()
  for (const invariant of invariants) {
    for (const [atMs, observation] of happened) invariant.observe(observation, atMs)
    invariant.atRest({ ...REST, ...rest }, 100_000)
    invariant.atEnd({ timers: [], links: [] })
  }
  return invariants.filter(({ violation }) => violation !== null).map(({ name }) => name)
}

function hostNamed(name: string, isDead = false): MemoryHost {
  const lane = new VirtualTime(1).createLane()
  return { name, address: { host: '127.0.0.1', port: 1 }, lane, isDead }
}

function linkOf(initiator: MemoryHost, responder: MemoryHost): MemoryLink {
  const open = new Set([initiator, responder])
  return { id: 1, initiator, responder, openedAtMs: 0, open, cut: () => undefined }
}

const asked: Observation = { kind: 'asked', request, tokens: 2 }
const token = (index: number, text = `${request}:${index} `): Observation => {
  return { kind: 'token', request, index, text }
}
const ended = (code = 'OK'): Observation => ({ kind: 'ended', request, code })
const generating: Observation = { kind: 'generating', request, processor: 'processor-1' }

test('should find nothing when a request is answered', (t) => {
  const happened: Observation[] = [asked, generating, token(0), token(1), ended()]
  t.alike(violatedBy(happened.map((one) => [1, one])), [])
})

test('should find requests that never end, end twice or go on', (t) => {
  t.alike(violatedBy([[1, asked]]), ['requests-end-once'])
  const cancelled = ended('CANCELLED')
  const twice = [asked, cancelled, cancelled].map((one) => [1, one] as const)
  t.alike(violatedBy(twice), ['requests-end-once'])
  const late = [asked, cancelled, token(0)].map((one) => [1, one] as const)
  t.alike(violatedBy(late), ['requests-end-once'])
  t.alike(violatedBy([], { streams: [{ name: 'gateway-1', count: 1 }] }), ['requests-end-once'])
})

test('should find answers with a gap, a doubled or a foreign token, and without their end', (t) => {
  const parts = [[token(1)], [token(0), token(0)], [token(0, 'client-2/1:0 ')], [token(0), ended()]]
  for (const part of parts) {
    const whole: Observation[] = [
      asked,
      ...part,
      ...(part.length === 1 ? [ended('PEER_LOST')] : []),
    ]
    const names = violatedBy(whole.map((one) => [1, one]))
    t.ok(names.includes('answers-are-whole'), names.join())
  }
})

test('should find slots that do not return', (t) => {
  const idle = { name: 'processor-1', busy: 0, generations: 0 }
  t.alike(violatedBy([], { processors: [idle] }), [])
  t.alike(violatedBy([], { processors: [{ ...idle, busy: 1 }] }), ['slots-return'])
  t.alike(violatedBy([], { processors: [{ ...idle, generations: 1 }] }), ['slots-return'])
})

test('should find acknowledged accounts that are lost', (t) => {
  const email = 'ada@example.com'
  const acknowledged: Observation = { kind: 'acknowledged', email }
  const unknown = (sinceMs: number): Observation => {
    return { kind: 'logged-in', email, code: 'INVALID_CREDENTIAL', sinceMs }
  }
  const after = (second: Observation) =>
    violatedBy([
      [10, acknowledged],
      [20, second],
    ])
  t.alike(after(unknown(15)), ['accounts-last'])
  t.alike(after(unknown(5)), [], 'the login began before')
  t.alike(after(acknowledged), ['accounts-last'], 'registered again')
  t.alike(violatedBy([[20, unknown(15)]]), [], 'never acknowledged')
})

test('should find what was done twice', (t) => {
  const email = 'ada@example.com'
  const twice = violatedBy([
    [1, { kind: 'registering', email, isFirstTime: true }],
    [2, { kind: 'registered', email, code: 'EMAIL_TAKEN' }],
  ])
  t.alike(twice, ['done-once'])
  const again = [asked, generating, token(0), generating, ended('PEER_LOST')]
  t.alike(violatedBy(again.map((one) => [1, one])), ['done-once'])
})

test('should find an engine that goes on while nobody reads', (t) => {
  const happened = (gapMs: number): [number, Observation][] => [
    [1, asked],
    [2, { kind: 'paused', request }],
    [2 + gapMs, { kind: 'produced', request }],
    [5_000, ended('CANCELLED')],
  ]
  t.alike(violatedBy(happened(100)), [])
  t.alike(violatedBy(happened(2_000)), ['nothing-grows'])
})

test('should find peers that are given up for nothing, and gone ones that are kept', (t) => {
  const [one, other] = [hostNamed('gateway-1'), hostNamed('auth-1')]
  const closed: Observation = { kind: 'closed', link: linkOf(one, other), by: one }
  t.alike(violatedBy([[5_000, closed]]), ['peers-are-noticed'])
  t.alike(violatedBy([[100, closed]]), [])
  const fault: Observation = { kind: 'fault', what: 'cut', names: ['auth-1'] }
  t.alike(
    violatedBy([
      [4_000, fault],
      [5_000, closed],
    ]),
    [],
  )
  const kept = linkOf(one, hostNamed('auth-1', true))
  t.alike(violatedBy([], { links: [kept] }), ['peers-are-noticed'])
})

test('should find errors that cannot be, and a mesh that does not recover', (t) => {
  const violation = [asked, ended('PROTOCOL_VIOLATION')].map((one) => [1, one] as const)
  t.alike(violatedBy(violation), ['nothing-unexpected'])
  const thrown = [asked, ended('INTERNAL Error: no')].map((one) => [1, one] as const)
  t.alike(violatedBy(thrown), ['nothing-unexpected'])
  const unanswered = [{ client: 'client-1', code: 'OVERLOADED' }]
  t.alike(violatedBy([], { unanswered }), ['mesh-recovers'])
})
