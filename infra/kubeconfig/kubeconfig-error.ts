/** A kubeconfig that cannot be used; the message is one readable paragraph that says why. */
export class KubeconfigError extends Error {
  override readonly name = 'KubeconfigError';
}
