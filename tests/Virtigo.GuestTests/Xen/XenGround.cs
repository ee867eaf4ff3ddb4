namespace Virtigo.GuestTests.Xen;

/// <summary>What the tests of Xen find in the dom0 that they run in: a folder that <see cref="XenBed"/> fills.</summary>
public sealed class XenGround
{
    /// <summary>The variable that names the folder.</summary>
    public const string Variable = "VIRTIGO_TEST_XEN_GROUND";

    /// <summary>Where Virtigo has everything there: in its store is the image of the example, when it is in a dom0 that was given one.</summary>
    public const string Home = "/opt/home";

    private readonly string _folder;

    private XenGround(string folder) => _folder = folder;

    /// <summary>The folder that this run was given, or null.</summary>
    public static XenGround? Found => Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } folder ? new XenGround(folder) : null;

    /// <summary>A kernel.</summary>
    public string Kernel => Path.Combine(_folder, "vmlinuz");

    /// <summary>Busybox, with everything it needs inside.</summary>
    public string Busybox => Path.Combine(_folder, "busybox");

    /// <summary>A disk of 1 MiB in qcow2, empty.</summary>
    public string Qcow2 => Path.Combine(_folder, "empty.qcow2");

    /// <summary>The kernel's modules for Xen's own devices, unpacked, in the order in which they are loaded.</summary>
    public IEnumerable<string> OwnModules => Listed("own-modules");

    /// <summary>Those for the devices of a PC of QEMU's.</summary>
    public IEnumerable<string> MachineModules => Listed("machine-modules");

    private IEnumerable<string> Listed(string list) => File.ReadLines(Path.Combine(_folder, list)).Select(name => Path.Combine(_folder, name));
}
