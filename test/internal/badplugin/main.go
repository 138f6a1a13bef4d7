// Command badplugin breaks the contract.
package main

func main() {}
