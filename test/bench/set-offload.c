/*
 * Turns segmentation and merging in an interface on or off. usage: set-offload INTERFACE 0|1
 */
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include "peer.h"

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  const uint32_t commands[] = {ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO};
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
    struct ethtool_value value = {.cmd = commands[i], .data = (uint32_t)atoi(argv[2])};
    struct ifreq request = {.ifr_data = (char *)&value};
    strncpy(request.ifr_name, argv[1], IFNAMSIZ - 1);
    if (ioctl(fd, SIOCETHTOOL, &request) != 0) return fail("SIOCETHTOOL");
  }
  return 0;
}
