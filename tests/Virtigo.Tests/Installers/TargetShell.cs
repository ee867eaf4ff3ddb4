using System.Diagnostics;
using System.Text;
using Virtigo.Installers.Debian;
using Xunit;

namespace Virtigo.Tests.Installers;

/// <summary>
/// A folder that stands for the target, and a shell whose <c>in-target</c>, <c>chroot</c> and <c>logger</c> record what they are called with.
/// What unpacks archives is the host's own tar; what reads its input keeps it.
/// </summary>
internal sealed class TargetShell : IDisposable
{
    /// <summary>Records the words of a call, each ended by NUL, and an empty word after them.</summary>
    private const string Record = """
        #!/bin/sh
        record() {
            for word in "$@"; do printf '%s\0' "$word"; done >>"$RECORDS/calls"
            printf 'END\0' >>"$RECORDS/calls"
        }

        """;

    private const string Chroot = """
        shift
        record "$@"
        case $1 in
        tar) shift; mkdir -p "$VIRTIGO_TARGET"; exec tar "$@" --directory="$VIRTIGO_TARGET" --no-same-owner ;;
        debconf-set-selections|chpasswd) cat >"$RECORDS/$1" ;;
        esac
        [ "$1" != "$FAILING" ]

        """;

    private const string InTarget = """
        record "$@"
        if [ "$1" = env ]; then
            for script; do :; done
            cat "$VIRTIGO_TARGET$script" >"$RECORDS/ran"
        fi
        [ "$1" != "$FAILING" ]

        """;

    public TargetShell()
    {
        Folder = Directory.CreateTempSubdirectory("virtigo-target-").FullName;
        foreach (string folder in (string[])["bin", "target", "given", "records"])
        {
            Directory.CreateDirectory(System.IO.Path.Combine(Folder, folder));
        }

        Tool("chroot", Chroot);
        Tool("in-target", InTarget);
        Tool("logger", "record logger \"$@\"\n");
        Tool("systemctl", "exit 0\n");
    }

    public string Folder { get; }

    public bool Failed => File.Exists(System.IO.Path.Combine(Folder, "given", "failed"));

    /// <summary>The script of the last run step.</summary>
    public string Ran => File.ReadAllText(System.IO.Path.Combine(Folder, "records", "ran"));

    public void Dispose() => Directory.Delete(Folder, recursive: true);

    public string Path(string inTarget) => System.IO.Path.Combine(Folder, "target", inTarget);

    public string Read(string inTarget) => File.ReadAllText(Path(inTarget));

    public string Input(string tool) => File.ReadAllText(System.IO.Path.Combine(Folder, "records", tool));

    public void Write(string inTarget, string text)
    {
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(Path(inTarget))!);
        File.WriteAllText(Path(inTarget), text);
    }

    /// <summary>Puts the files where the installer would have them.</summary>
    public void Hand(TargetSteps steps)
    {
        foreach (InitrdFile file in steps.Files.Concat(steps.LeavingFiles))
        {
            File.WriteAllBytes(System.IO.Path.Combine(Folder, "given", System.IO.Path.GetFileName(file.Path)), file.Content.ToArray());
        }
    }

    /// <summary>Runs a script.</summary>
    /// <param name="script">The script.</param>
    /// <param name="failing">The command in the target that fails.</param>
    public int Run(string script, string failing = "")
    {
        string file = System.IO.Path.Combine(Folder, "script");
        File.WriteAllText(file, script);
        using Process shell = Process.Start(new ProcessStartInfo("sh", [file])
        {
            WorkingDirectory = Folder,
            RedirectStandardInput = true,
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            Environment =
            {
                ["PATH"] = $"{Folder}/bin:{Environment.GetEnvironmentVariable("PATH")}",
                ["VIRTIGO_TARGET"] = System.IO.Path.Combine(Folder, "target"),
                ["VIRTIGO_GIVEN"] = System.IO.Path.Combine(Folder, "given"),
                ["RECORDS"] = System.IO.Path.Combine(Folder, "records"),
                ["FAILING"] = failing,
            },
        })!;
        shell.StandardInput.Close();
        Task<string> output = shell.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        string said = shell.StandardError.ReadToEnd();
        shell.WaitForExit();
        TestContext.Current.TestOutputHelper?.WriteLine(said + output.Result);
        return shell.ExitCode;
    }

    /// <summary>The calls so far, each as its words.</summary>
    public IReadOnlyList<string[]> Calls()
    {
        string file = System.IO.Path.Combine(Folder, "records", "calls");
        if (!File.Exists(file))
        {
            return [];
        }

        var calls = new List<string[]>();
        var words = new List<string>();
        foreach (string word in Encoding.UTF8.GetString(File.ReadAllBytes(file)).Split('\0').SkipLast(1))
        {
            if (word == "END")
            {
                calls.Add([.. words]);
                words.Clear();
            }
            else
            {
                words.Add(word);
            }
        }

        return calls;
    }

    private void Tool(string name, string text)
    {
        string file = System.IO.Path.Combine(Folder, "bin", name);
        File.WriteAllText(file, Record + text);
        File.SetUnixFileMode(file, (UnixFileMode)0x1ED);
    }
}
