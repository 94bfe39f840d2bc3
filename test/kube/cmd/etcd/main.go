// Command etcd is the stock etcd server. The module go.etcd.io/etcd/server/v3 ships everything of it but a main package.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	etcdmain.Main(os.Args)
}
