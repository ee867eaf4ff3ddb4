using System.Globalization;
using Virtigo.Host;
using Virtigo.Images;
using Virtigo.Installers.Debian;

namespace Virtigo.Installers.Ubuntu;

/// <summary>
/// The volume that the installer takes its answers from, with what it runs at its end: a script, and the files and accounts that the
/// script puts into the installed system. It may hold password hashes: its file is for its owner alone, and is gone with the run.
/// </summary>
internal static class UbuntuSeed
{
    /// <summary>The label by which cloud-init knows the volume.</summary>
    public const string Label = "cidata";

    /// <summary>The line on the log port that says the installer gave up.</summary>
    public const string Failed = "virtigo: the installer failed";

    /// <summary>How the lines begin by which a step says why it failed.</summary>
    public const string StepFailed = "virtigo: " + TargetSteps.FailureMark;

    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>
    /// Runs in the installer's own system with the installed one below <c>/target</c>. The steps were written for debian-installer's shell:
    /// <c>in-target</c> and <c>logger</c> are made here. A machine's identity is removed, so that its first boot makes it. The installer leaves
    /// a copy of its answers, which have password hashes in them, after this script has run: the first boot removes it.
    /// </summary>
    private const string Late = """
        #!/bin/sh
        own=/run/virtigo-own
        given=$own/steps
        (umask 077 && mkdir -p "$own/bin" && cp -r /run/virtigo/virtigo/steps "$given") || exit 1
        cat >"$own/bin/in-target" <<'EOF'
        #!/bin/sh
        exec curtin in-target --target=/target -- "$@"
        EOF
        cat >"$own/bin/logger" <<'EOF'
        #!/bin/sh
        while [ $# -gt 1 ]; do shift; done
        echo "virtigo: $1" >/dev/ttyS1
        EOF
        chmod 755 "$own/bin/in-target" "$own/bin/logger"
        export PATH="$own/bin:$PATH" VIRTIGO_TARGET=/target VIRTIGO_GIVEN="$given"
        failed() {
            echo "virtigo: step failed: $1" >/dev/ttyS1
            exit 1
        }

        for script in end leave; do
            if [ -s "$given/$script" ]; then sh "$given/$script" || exit 1; fi
        done
        if [ -s "$given/root" ]; then
            chroot /target chpasswd --encrypted <"$given/root" || failed "root's password cannot be set"
        fi
        if [ -s "$given/sudoers" ]; then
            cp "$given/sudoers" /target/etc/sudoers.d/virtigo && chmod 440 /target/etc/sudoers.d/virtigo || failed "sudo cannot be configured"
        fi
        echo 'R! /var/log/installer/autoinstall-user-data' >/target/etc/tmpfiles.d/virtigo.conf
        : >/target/etc/machine-id
        rm -f /target/var/lib/dbus/machine-id /target/var/lib/systemd/random-seed
        rm -f /target/etc/ssh/ssh_host_*_key /target/etc/ssh/ssh_host_*_key.pub
        rm -rf "$own"
        sync
        fstrim /target || true
        echo '@MARKER@' >/dev/ttyS1
        exit 0

        """;

    /// <summary>The line on the log port that says the last step is done, with this install's own nonce.</summary>
    public static string Marker(string nonce) => $"virtigo: installed {nonce}";

    /// <summary>Writes the volume.</summary>
    /// <param name="path">The file; for its owner alone.</param>
    /// <param name="choices">What is installed.</param>
    /// <param name="nonce">Letters and digits that nothing in the guest can know otherwise.</param>
    /// <param name="cancellationToken">Ends the writing.</param>
    public static Task WriteAsync(string path, UbuntuChoices choices, string nonce, CancellationToken cancellationToken) =>
        AtomicFile.WriteAsync(path, (output, token) => new IsoWriter(Label).WriteAsync(output, Files(choices, nonce), token), OwnerOnly, cancellationToken);

    /// <summary>What is on the volume.</summary>
    public static IReadOnlyList<IsoContent> Files(UbuntuChoices choices, string nonce)
    {
        DebianUser? user = choices.Plan.User.Value;
        TargetSteps steps = TargetSteps.For(Last(choices.Plan.Target));
        return
        [
            IsoContent.Of("user-data", AutoinstallWriter.Write(UbuntuAnswers.Of(choices), redact: false)),
            IsoContent.Of("meta-data", string.Create(CultureInfo.InvariantCulture, $"instance-id: \"virtigo-{nonce}\"\n")),
            IsoContent.Of("virtigo/late", Late.Replace("@MARKER@", Marker(nonce), StringComparison.Ordinal)),
            IsoContent.Of("virtigo/steps/end", steps.AtEnd),
            IsoContent.Of("virtigo/steps/leave", steps.Leaving),
            IsoContent.Of("virtigo/steps/root", choices.Plan.RootPasswordHash.Value is { } hash ? $"root:{hash}\n" : ""),

            // A user without a password could not answer sudo's question for it.
            IsoContent.Of("virtigo/steps/sudoers", user is { PasswordHash: null } ? $"{user.Name} ALL=(ALL:ALL) NOPASSWD: ALL\n" : ""),
            .. steps.Files.Concat(steps.LeavingFiles)
                .Select(file => IsoContent.Of("virtigo/steps" + file.Path[TargetSteps.Folder.Length..], file.Content.ToArray())),
        ];
    }

    /// <summary>What changes images, as text: the same for equal installs.</summary>
    public static IEnumerable<string> Recipe(UbuntuChoices choices) => [AutoinstallWriter.Compact(UbuntuAnswers.Of(choices)), Late];

    /// <summary>What is left for the end: the rest the installer does itself.</summary>
    private static TargetChoices Last(TargetChoices target) => target with { Debconf = [], Pins = [], AutomaticUpdates = false, Recommends = false };
}
