import { SystemRandom } from '../../../facilities/clock/random.js'
import { Home } from '../../../facilities/home/home.js'
import { openMeshKeys } from '../../../facilities/home/mesh-keys.js'
import '../umask.js'

/** Makes a folder the home of a mesh, as the first worker that starts there does. */
export async function foundMesh(directory: string): Promise<void> {
  await openMeshKeys(await Home.open(directory), new SystemRandom())
}
