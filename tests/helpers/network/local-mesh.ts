import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type { Test } from 'brittle'
import { SystemClock } from '../../../facilities/clock/system-clock.js'
import type { BootstrapNode } from '../../../facilities/network/modes/bootstrap-node.js'
import { LoopbackMode } from '../../../facilities/network/modes/loopback-mode.js'
import { Cleanup } from '../cleanup.js'
import { MeshFixture } from './mesh-fixture.js'
import { freeUdpPort } from './udp-port.js'

const HOST = '127.0.0.1'

/** A mesh for one test over real DHT nodes on 127.0.0.1, with a bootstrap port of its own. */
export class LocalMesh extends MeshFixture {
  readonly port: number

  private constructor(t: Test, port: number) {
    const clock = new SystemClock()
    const cleanup = new Cleanup(t)
    const createDht = () => {
      const dht = localMode(port).createDht()
      cleanup.add(() => dht.destroy({ force: true }))
      return dht
    }
    super(t, { clock, createDht, cleanup })
    this.port = port
  }

  /**
   * @param options.bootstrap whether a bootstrap node runs from the start
   * @param options.port the bootstrap port of another mesh, to share its network
   */
  static async open(
    t: Test,
    options: { bootstrap?: boolean; port?: number } = {},
  ): Promise<LocalMesh> {
    const mesh = new LocalMesh(t, options.port ?? (await freeUdpPort()))
    if (options.bootstrap !== false) await mesh.bootstrap()
    return mesh
  }

  /** The part of one worker in running the bootstrap node. */
  async bootstrap(): Promise<BootstrapNode> {
    const bootstrap = localMode(this.port).shareBootstrap({ clock: this.clock })
    this.cleanup.add(() => bootstrap.close())
    await bootstrap.ready()
    return bootstrap
  }
}

/** The network of one machine, with its own bootstrap port. Its holder is checked often. */
export function localMode(bootstrapPort: number): LoopbackMode {
  return new LoopbackMode({ bootstrapPort, bootstrapWatchIntervalMs: 100 })
}

/** Occupies a UDP port without answering until the test ends. */
export async function occupyUdpPort(t: Test, port: number): Promise<void> {
  const squatter = createSocket('udp4')
  t.teardown(() => squatter.close())
  squatter.bind(port, HOST)
  await once(squatter, 'listening')
}
