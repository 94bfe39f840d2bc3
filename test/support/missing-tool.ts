/** A tool that is neither there nor can be had: a suite skips itself over it, or fails where it is required. */
export class MissingTool extends Error {
  override readonly name = 'MissingTool';
}
