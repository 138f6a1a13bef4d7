data_dir = enf("HOME")
listener "public" {
  address = env()
}
