import { PassThrough } from 'node:stream'
import type { Test } from 'brittle'
import { createStubInstance } from 'sinon'
import { ClientFolder } from '../../../facilities/home/client-folder.js'
import { MeshNetwork } from '../../../facilities/network/mesh-network.js'
import { openClientHost } from '../../../facilities/worker/worker-host.js'
import type { Role } from '../../../helpers/identity/roles.js'
import { ClientWorker } from '../../../workers/client/client-worker.js'
import { Output } from '../../../workers/client/output.js'
import { VirtualClock } from '../clock/virtual-clock.js'
import { PeersStandIn } from '../network/peers-stand-in.js'
import { foundMesh, NETWORK } from './mesh-home.js'

/** How the scene's answers end by default. */
export const END = {
  finishReason: 'stop' as const,
  promptTokens: 1,
  cachedTokens: 0,
  completionTokens: 2,
  timings: { promptMs: 0, generationMs: 0 },
  model: 'small',
}

/** Everything that was written so far, and what is written later. */
function transcript(stream: PassThrough): () => string {
  let text = ''
  stream.setEncoding('utf8').on('data', (chunk) => {
    text += chunk
  })
  return () => text
}

/**
 * What a client command uses: a new home, a terminal that the test types at, a client
 * whose answers the test sets, and a mesh whose workers the test sets.
 */
export async function clientScene(t: Test, options: { json?: boolean; isTTY?: boolean } = {}) {
  const { json = false, isTTY = false } = options
  const peers = new Map<Role, PeersStandIn>()
  const of = (role: Role) => {
    const known = peers.get(role) ?? new PeersStandIn(role)
    peers.set(role, known)
    return known
  }
  const network = createStubInstance(MeshNetwork)
  network.look.callsFake(async (role) => of(role))
  network.listed.returns(0)
  network.pingBootstrap.resolves({ address: '127.0.0.1:28737', isReachable: true })
  const [result, notices, screen] = [new PassThrough(), new PassThrough(), new PassThrough()]
  const input = Object.assign(new PassThrough(), { isTTY, setRawMode: () => undefined })
  const clock = new VirtualClock()
  const client = createStubInstance(ClientWorker)
  const home = await t.tmp()
  await foundMesh(home)
  const host = await openClientHost({ home, json, network: NETWORK })
  const folder = await ClientFolder.open(host.home, host.random)
  const ending = new AbortController()
  const tools = {
    host: { ...host, clock },
    folder,
    client,
    network,
    output: new Output({ json, home, result, notices, isTerminal: isTTY }),
    terminal: { input, screen },
    signal: ending.signal,
  }
  const written = transcript(result)
  return {
    tools,
    client,
    clock,
    folder,
    network,
    of,
    /** Writes to the terminal or the pipe. */
    type: (text: string) => input.write(text),
    endInput: () => input.end(),
    /** Simulates SIGTERM. */
    end: (reason: Error) => ending.abort(reason),
    written,
    notices: transcript(notices),
    screen: transcript(screen),
    lines: () => written().trimEnd().split('\n'),
    objects: () =>
      written()
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
  }
}
