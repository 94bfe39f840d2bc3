// What somebody writes first: the kubeconfig client as its README shows it, and the same other libraries. The bundles
// are measured against it.
import { EKSClient } from '@aws-sdk/client-eks';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { STSClient } from '@aws-sdk/client-sts';
import { BatchV1Api, CoreV1Api, KubeConfig } from '@kubernetes/client-node';
import { SignatureV4 } from '@smithy/signature-v4';
import { GraphQLClient } from 'graphql-request';

const kubeconfig = new KubeConfig();

/** Keeps everything that a tick needs reachable, so that nothing is shaken out of the bundle. */
export const handler = async () => {
  kubeconfig.loadFromDefault();
  return {
    kubernetes: [kubeconfig.makeApiClient(BatchV1Api), kubeconfig.makeApiClient(CoreV1Api)],
    prefect: new GraphQLClient(process.env['PREFECT_API'] ?? ''),
    aws: [new EKSClient(), new SecretsManagerClient(), new STSClient(), SignatureV4],
  };
};
