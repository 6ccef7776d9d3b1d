import { SystemRandom } from '../../../facilities/clock/random.js'
import { Home } from '../../../facilities/home/home.js'
import { openMeshKeys } from '../../../facilities/home/mesh-keys.js'
import '../umask.js'

/** Creates the home of a mesh in a folder, as the first worker that starts there does. */
export async function foundMesh(directory: string): Promise<void> {
  await openMeshKeys(await Home.open(directory), new SystemRandom())
}
