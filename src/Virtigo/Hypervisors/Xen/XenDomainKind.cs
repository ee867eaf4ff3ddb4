namespace Virtigo.Hypervisors.Xen;

/// <summary>How a guest of Xen is virtualised.</summary>
public enum XenDomainKind
{
    /// <summary>PVH where the processor helps Xen, else PV.</summary>
    Auto,

    /// <summary>Paravirtualised: needs nothing of the processor, and a kernel that knows Xen.</summary>
    Pv,

    /// <summary>By the processor's virtualisation, with Xen's own devices and no emulated ones.</summary>
    Pvh,

    /// <summary>By the processor's virtualisation, as a whole PC: with a BIOS, and the devices that guests of QEMU have, by a QEMU of Xen's.</summary>
    Hvm,
}
