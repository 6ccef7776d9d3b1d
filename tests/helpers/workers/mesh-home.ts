import { SystemRandom } from '../../../facilities/clock/random.js'
import { Home } from '../../../facilities/home/home.js'
import { openMeshKeys } from '../../../facilities/home/mesh-keys.js'
import type { LoopbackSettings } from '../../../facilities/network/modes/loopback-mode.js'
import '../umask.js'

/** The network of a host that a test opens without joining it. */
export const NETWORK: LoopbackSettings = {
  bootstrapPort: 28_737,
  bootstrapWatchIntervalMs: 500,
}

/** Creates the home of a mesh in a folder, as the first worker that starts there does. */
export async function foundMesh(directory: string): Promise<void> {
  await openMeshKeys(await Home.open(directory), new SystemRandom())
}
