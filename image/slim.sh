#!/usr/bin/env bash
# Removes from the tree files that no board with a camera needs: half of Debian's kernel modules and the firmware of other machines.
#
#     image/slim.sh TREE KERNEL-VERSION
set -euo pipefail
modules=$1/usr/lib/modules/$2/kernel
[ -d "$modules" ] || { echo "slim: no modules of kernel $2 in $1" >&2; exit 1; }
cd "$modules"
# Graphics other than the Raspberry Pi's, cluster networks and storage, radio, industrial devices; file systems of other systems.
rm -rf drivers/infiniband drivers/scsi/{lpfc,qla2xxx,megaraid,mpt3sas,bfa,be2iscsi,aacraid,qla4xxx,hisi_sas,smartpqi,elx} \
    drivers/gpu/drm/{amd,nouveau,radeon,i915,xe,msm,etnaviv,mediatek,rockchip,tegra,hisilicon,ast,mgag200,exynos,imx,sun4i} drivers/nvme \
    drivers/net/ethernet/{mellanox,intel,chelsio,qlogic,marvell,hisilicon,cavium,aquantia,amazon,freescale,ti,sfc,netronome,pensando,fungible,huawei,google,mediatek,qualcomm,cisco,emulex,neterion,solarflare} \
    drivers/net/wireless/{intel,ath,marvell,mediatek,ti,rsi,st,silabs} drivers/net/{wan,ppp,hamradio,fddi,arcnet,can,ieee802154,wwan,dsa} \
    drivers/iio drivers/mtd drivers/isdn drivers/accel drivers/crypto drivers/firewire drivers/atm drivers/comedi drivers/target drivers/edac drivers/hwtracing drivers/vfio drivers/xen drivers/block/{drbd,rnbd} drivers/ata \
    drivers/media/{dvb-frontends,tuners,radio,pci,usb/dvb-usb,usb/dvb-usb-v2} sound/pci \
    fs/{btrfs,xfs,ocfs2,gfs2,ceph,nfs,nfsd,smb,afs,coda,jfs,reiserfs,ufs,hfs,hfsplus,orangefs,ubifs,jffs2,9p,dlm,bcachefs,f2fs,udf,lockd,affs,befs,bfs,efs,minix,omfs,qnx4,qnx6,sysv,ntfs3,nilfs2} \
    net/{ceph,tipc,sctp,rds,dccp,atm,ax25,netrom,rose,decnet,batman-adv,openvswitch,ieee802154,6lowpan,can,nfc,sunrpc,rxrpc,smc,mpls,l2tp}
cd "$1/usr/lib/firmware"
find . -mindepth 1 -maxdepth 1 ! -name brcm ! -name cypress ! -name 'regulatory*' -exec rm -rf {} +
rm -rf "$1"/usr/share/{doc-base,lintian,bug,common-licenses-extra,zoneinfo/right} "$1"/usr/lib/aarch64-linux-gnu/gconv
