using System.Text;

namespace Virtigo.Hypervisors.Uml;

/// <summary>
/// How an installed system starts under User-Mode Linux: by the host's kernel for it instead of its own, with the modules of that one, and with its
/// agent on a serial line. Nothing of it is written to the disk but an empty folder for those modules.
/// </summary>
internal static class UmlBoot
{
    /// <summary>The device of a partition of the first disk.</summary>
    public static string Device(int partition) => $"/dev/ubda{partition}";

    /// <summary>The kernel and its command line. The shell that begins as the first process hands over to the system's own init.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="root">The device of the root file system.</param>
    /// <param name="serials">How many serial ports the guest has: the agent has the next.</param>
    public static KernelBoot Of(string kernel, string root, int serials)
    {
        // The kernel knows quotes but none within them; a line of base64 needs none.
        string script = Convert.ToBase64String(Encoding.ASCII.GetBytes(Begin.Replace("@AGENT@", $"/dev/ttyS{serials}", StringComparison.Ordinal)));
        return new KernelBoot(kernel, null,
            $"root={root} rw console=ttyS0 init=/bin/sh -- -c \"mount -t tmpfs run /run; echo {script} | base64 -d >/run/begin; . /run/begin\"");
    }

    // Debian keeps the modules in a place of their own, which the guest finds through hostfs: without them a system lacks IPv6, for one.
    private const string Begin = """
        m=/lib/modules/$(uname -r)
        u=/run/systemd/system
        mkdir -p $m $u/multi-user.target.wants
        mount -t hostfs -o /usr/lib/uml/modules/${m##*/} hostfs $m
        cat >$u/virtigo-agent.service <<X
        [Service]
        ExecStart=/usr/sbin/qemu-ga -m isa-serial -p @AGENT@
        X
        ln -s ../virtigo-agent.service $u/multi-user.target.wants/
        rm /run/begin
        exec /sbin/init

        """;
}
