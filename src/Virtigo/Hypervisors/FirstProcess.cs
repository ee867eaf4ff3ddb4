using System.Text;

namespace Virtigo.Hypervisors;

/// <summary>
/// A shell as the first process of an installed system: it gives the system's agent a device that the system would not look for it on, writes that
/// nowhere but to memory, and hands over to the system's own init.
/// </summary>
internal static class FirstProcess
{
    private const string Begin = """
        u=/run/systemd/system
        mkdir -p $u/multi-user.target.wants
        cat >$u/virtigo-agent.service <<X
        [Service]
        ExecStart=/usr/sbin/qemu-ga -m isa-serial -p @AGENT@
        X
        ln -s ../virtigo-agent.service $u/multi-user.target.wants/
        rm /run/begin
        exec /sbin/init

        """;

    /// <summary>What ends the kernel's command line.</summary>
    /// <param name="agent">The agent's device.</param>
    /// <param name="hasRun">Whether /run is there already, as after an initial file system.</param>
    /// <param name="prepare">Lines of the shell's, done first; empty for none.</param>
    public static string Arguments(string agent, bool hasRun, string prepare = "")
    {
        // The kernel knows quotes but none within them; a line of base64 needs none.
        string script = Convert.ToBase64String(Encoding.ASCII.GetBytes((prepare.Length > 0 ? prepare + '\n' : "") + Begin.Replace("@AGENT@", agent, StringComparison.Ordinal)));
        return $"init=/bin/sh -- -c \"{(hasRun ? "" : "mount -t tmpfs run /run; ")}echo {script} | base64 -d >/run/begin; . /run/begin\"";
    }
}
