using System.Text;

namespace Virtigo.Installers.Debian;

/// <summary>
/// What sets up the installed system's network. It comes last: until nothing more is installed, the system uses the installer's network.
/// </summary>
internal static class NetworkSteps
{
    private const UnixFileMode Plain = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    /// <summary>The DHCP clients of Debian's releases leave the list of name servers alone when told so, each in its own way.</summary>
    private const string KeepResolver = """
        if [ -e "$target/etc/dhcpcd.conf" ]; then
            echo 'nohook resolv.conf' >>"$target/etc/dhcpcd.conf" || fail 'network: the name servers cannot be kept'
        fi
        if [ -d "$target/etc/dhcp/dhclient-enter-hooks.d" ]; then
            echo 'make_resolv_conf() { :; }' >"$target/etc/dhcp/dhclient-enter-hooks.d/virtigo" || fail 'network: the name servers cannot be kept'
        fi

        """;

    /// <summary>The files of the network.</summary>
    /// <param name="network">The network.</param>
    /// <param name="domain">The machine's own domain; empty for none.</param>
    public static IEnumerable<TargetEntry> Files(TargetNetwork network, string domain)
    {
        if (network.HasCards)
        {
            yield return Text("/etc/network/interfaces", network.InterfacesFile());
        }

        if (network.HasResolver)
        {
            yield return Text("/etc/resolv.conf", network.ResolverFile(domain));
        }

        if (network.Proxy is { } proxy)
        {
            yield return Text("/etc/apt/apt.conf.d/80proxy", $"Acquire::http::Proxy \"{Shown(proxy)}\";\nAcquire::https::Proxy \"{Shown(proxy)}\";\n");
        }
    }

    /// <summary>The part of the last script that puts the files into place; empty when there is nothing to do.</summary>
    public static string Script(TargetNetwork network)
    {
        var script = new StringBuilder();
        if (network.IsNothing)
        {
            return "";
        }

        if (network.HasResolver)
        {
            // A link to what a running service writes would be written through.
            script.Append("rm -f \"$target/etc/resolv.conf\"\n").Append(KeepResolver);
        }

        script.Append("unpack network.tar || fail 'network: the files cannot be written'\n");
        if (network.Proxy is { } proxy)
        {
            script.Append("for name in http_proxy https_proxy HTTP_PROXY HTTPS_PROXY; do\n    echo \"$name=").Append(Shown(proxy))
                .Append("\"\ndone >>\"$target/etc/environment\" || fail 'network: the proxy cannot be written'\n")
                .Append("printf 'no_proxy=localhost,127.0.0.1,::1\\nNO_PROXY=localhost,127.0.0.1,::1\\n' >>\"$target/etc/environment\"\n");
        }

        return script.ToString();
    }

    private static string Shown(Uri proxy) => proxy.AbsoluteUri.TrimEnd('/');

    private static TargetEntry Text(string path, string text) => new(path, TargetEntryKind.File, Plain, Encoding.UTF8.GetBytes(text));
}
