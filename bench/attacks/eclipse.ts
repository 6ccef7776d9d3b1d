import type { Scene, Stage } from './attack.js'
import { FOREIGN_BOOTSTRAP_PORT } from './attackers/foreign-bootstrap.js'
import { coming } from './honest.js'
import { sceneWith } from './scene.js'

/**
 * Clients that find a stranger at their bootstrap port while the attack runs. They are started in the home of
 * the mesh, where the workers that other clients have found are remembered.
 */
export async function eclipse(stage: Stage): Promise<Scene> {
  let isAttacked = false
  const bootstrapPort = () => (isAttacked ? FOREIGN_BOOTSTRAP_PORT : stage.mesh.bootstrapPort)
  const honest = await coming(stage, { bootstrapPort, remembers: true })
  const scene = await sceneWith('foreignBootstrap', stage, honest)
  return {
    ...scene,
    async start() {
      await scene.start()
      isAttacked = true
    },
    async stop() {
      isAttacked = false
      await scene.stop()
    },
  }
}
